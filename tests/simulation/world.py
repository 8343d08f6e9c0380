"""A simulated world: processes, network, SQS, faults, and time, all from one seed."""

from __future__ import annotations

import asyncio
import contextvars
import random
import uuid
import zlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from hello_queue.sqs.leases import Lease
from tests.simulation import faults, scenario, variety
from tests.simulation.actors import Actor, ConsumerActor, RedriveActor
from tests.simulation.calls import Calls
from tests.simulation.checks import Checks
from tests.simulation.faults import REQUESTS, Event
from tests.simulation.network import Network
from tests.simulation.oracle import Oracle
from tests.simulation.scenario import Behaviour
from tests.simulation.sending_actors import ProducerActor, SenderActor
from tests.simulation.sqs_model import Queue
from tests.simulation.sqs_service import Service
from tests.simulation.stored import Stored
from tests.simulation.virtual_loop import Deadlock, Process, VirtualLoop


def _number(lease: Lease) -> int:
    return zlib.crc32(lease.receipt_handle.encode())


# A set of leases has an order that does not depend on their addresses. All else of the engine is as it is.
Lease.__hash__ = _number  # type: ignore[assignment,method-assign]

DRAIN_SECONDS = 10_000.0
MAX_STEPS = 3_000_000
ALTERED = "~"


@dataclass
class Result:
    """What became of a seed: the promises that were broken, and what happened."""

    seed: int
    broken: list[str]
    trace: list[str]
    seconds: float
    kills: int
    faults: Counter[str]
    counts: dict[str, int]
    requests: int
    events: list[Event]


class _Loop(VirtualLoop):
    world: World

    def killed(self, process: Process) -> None:
        self.world.kills += 1
        self.world.oracle.note(process, "is killed")
        self.world.ended(process)


class World:
    """Everything that one seed decides.

    Args:
        without: the numbers of the fault events to leave out.
        tracing: keep who did what when.
    """

    def __init__(self, seed: int, *, without: Collection[int] = (), tracing: bool = False) -> None:
        self.seed = seed
        random.seed(seed)  # the engine's jitter
        draws = random.Random(seed)  # noqa: S311 (repeatable)
        self.scenario = scenario.draw(random.Random(draws.random()))  # noqa: S311
        drawn = faults.draw(
            random.Random(draws.random()),  # noqa: S311
            self.scenario.roles,
            self.scenario.seconds,
            entries_fail=self.scenario.entries_fail,
        )
        self.scenario, drawn = variety.varied(seed, self.scenario, drawn)
        self.events = [event for event in drawn if event.number not in without]
        self.chance = random.Random(draws.random())  # noqa: S311
        self.loop = _Loop()
        self.loop.world = self
        self.oracle = Oracle(self.loop, tracing=tracing)
        self.kills = 0
        self.refused = self.oracle.refused
        self.attempts: Counter[str] = Counter()
        self.is_unlucky = self.scenario.misfortune != scenario.NONE
        self._build_queues(random.Random(draws.random()))  # noqa: S311
        service = Service({queue.name: queue for queue in (self.main, self.dead)}, self.loop)
        self.network = Network(self.loop, service, random.Random(draws.random()), self.oracle)  # noqa: S311
        self.checks = Checks(self)
        self.calls = Calls(self.oracle)
        self._actors: dict[str, Actor] = {}
        self._incarnations: Counter[str] = Counter()
        self._closing = False
        self._cpu = 0.0
        self._outside = contextvars.Context()

    def _build_queues(self, chance: random.Random) -> None:
        drawn = self.scenario
        self.dead = Queue(f"dead{'.fifo' if drawn.kind == 'fifo' else ''}", self.loop.time, observe=self._observe)
        self.main = Queue(
            drawn.queue,
            self.loop.time,
            visibility_timeout=drawn.visibility_timeout,
            delay=drawn.delay,
            max_receives=drawn.max_receives,
            dead_letters=self.dead,
            content_based=drawn.content_based,
            group_scope=drawn.group_scope,
            in_flight_limit=drawn.in_flight_limit,
            misfortune=drawn.misfortune,
            chance=chance,
            observe=self._observe,
        )
        oracle = self.oracle
        oracle.main = self.main
        oracle.visibility_timeout = drawn.visibility_timeout
        oracle.max_handling_seconds = drawn.max_handling_seconds
        oracle.retry_timeout = drawn.retry_timeout
        if drawn.kind == "fifo" and not drawn.entries_fail:  # entries that fail are sent after those that do not
            for role in drawn.lines:
                if role.startswith("sender"):
                    oracle.previous |= drawn.previous(role)

    def _observe(self, what: str, queue: Queue, message: Stored) -> None:
        self.oracle.observe(what, queue, message)

    # What the actors ask.

    def behaviour(self, body: str) -> Behaviour:
        return self.scenario.behaviours[body.rstrip(ALTERED)]

    def must_die(self, body: str) -> bool:
        return self.behaviour(body).kind == "poison"

    def may_die(self, body: str) -> bool:
        # With batches, the failure of another message can be its own.
        return self.behaviour(body).kind != "ok" or self.scenario.kind == "fifo" or self.scenario.batch > 0

    @property
    def is_faulty(self) -> bool:
        """Whether anything goes wrong, but stops."""
        return any(event.kind != "stop" for event in self.events)

    def cpu_clock(self) -> float:
        """CPU seconds, as if the process were busy to an ever-changing degree."""
        self._cpu += self.chance.choice((0.0, 0.02, 0.06))
        return self._cpu

    # The course of the world.

    def run(self) -> Result:
        original = uuid.uuid4
        uuid.uuid4 = self._uuid
        try:
            self.loop.run_until_complete(self._main())
        except Deadlock:
            self.oracle.violated("nothing can happen any more")
        finally:
            uuid.uuid4 = original
        for error in self.loop.errors:
            self.oracle.violated(f"a callback raised: {error}")
        return Result(
            self.seed,
            self.oracle.broken,
            self.oracle.trace or [],
            self.loop.time() - 1_000,
            self.kills,
            Counter(self.network.fault_counts),
            self.oracle.counts,
            self.network.requests,
            self.events,
        )

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self.chance.getrandbits(128))

    async def _main(self) -> None:
        drawn = self.scenario
        for role in drawn.roles:
            kinds = {"consumer": ConsumerActor, "sender": SenderActor, "producer": ProducerActor}
            self._actors[role] = kinds.get(role.partition("-")[0], RedriveActor)(self, role)
            self.loop.call_later(self.chance.uniform(0, 1), self._start, role)
        for event in self.events:
            self.loop.call_later(event.at, self._begin, event)
        await asyncio.sleep(drawn.seconds)
        self.network.active.clear()
        await asyncio.sleep(1)
        self.oracle.note("world", "is calm")
        self.oracle.is_calm = True
        await self._drain()
        self._closing = True
        if not self.oracle.broken:
            self.checks.drained()
        for actor in self._actors.values():
            self._stop(actor)
        for actor in self._actors.values():
            if actor.process.is_running:
                await asyncio.sleep(actor.most_seconds_to_stop(calm=False) + 1)
                break

    async def _drain(self) -> None:
        until = self.loop.time() + DRAIN_SECONDS
        while not self._is_drained():
            await asyncio.sleep(1)
            if self.loop.time() > until or self.loop.steps > MAX_STEPS:
                left = [f"{each.id} ({each.body})" for each in self.main.messages]
                undone = [role for role in self.scenario.lines if not self._actors[role].is_done]
                self.oracle.violated(f"the world does not drain: {left[:5]}, {undone}")
                return
            if len(self.oracle.broken) > 5:
                return

    def _is_drained(self) -> bool:
        return not self.main.messages and all(
            actor.is_done for role, actor in self._actors.items() if not role.startswith("consumer")
        )

    def _start(self, role: str) -> None:
        actor = self._actors[role]
        if actor.is_done or self._closing:
            return
        self._incarnations[role] += 1
        process = actor.process = Process(self.loop, f"{role}.{self._incarnations[role]}")
        self.oracle.note(process, "starts")
        process.start(self._run(actor, process))

    async def _run(self, actor: Actor, process: Process) -> None:
        await actor.run()
        self.oracle.note(process, "has ended")
        process.ended_at = self.loop.time()
        process.dead = True  # what is left of it ends with it
        self.ended(process)

    def ended(self, process: Process) -> None:
        """Start a successor after some time, as a supervisor does."""
        role = process.name.partition(".")[0]
        self.loop.call_later(self.chance.uniform(0.1, 5), self._start, role, context=self._outside)

    # Faults.

    def _begin(self, event: Event) -> None:
        if event.kind in REQUESTS:
            self.network.active.append(event)
            self.loop.call_later(event.seconds, self._end, event)
            self.oracle.note("world", f"{event}")
            return
        actor = self._actors[event.who]
        if not hasattr(actor, "process") or not actor.process.is_running:
            return
        self.oracle.note("world", f"{event}")
        if event.action:
            actor.awaited[event] = event.step
        else:
            self.strike(event)

    def strike(self, event: Event) -> None:
        """It happens to a process."""
        actor = self._actors[event.who]
        if event.kind == "kill":
            actor.process.kill()
        elif event.kind == "kill at a step":
            actor.process.kill_at_step = actor.process.steps + event.step
        elif event.kind == "freeze":
            actor.process.freeze(event.seconds)
        else:
            self._stop(actor)

    def _end(self, event: Event) -> None:
        if event in self.network.active:
            self.network.active.remove(event)

    def _stop(self, actor: Actor) -> None:
        process = actor.process
        if not process.is_running or process.stopped_at is not None:
            return
        process.stopped_at = self.loop.time()
        self.oracle.note(process, "is asked to stop")
        self.loop.call_soon(actor.stop, context=process.context)
        calm = not self.events
        self.loop.call_later(actor.most_seconds_to_stop(calm=calm), self._check_stopped, process, calm)

    def _check_stopped(self, process: Process, calm: bool) -> None:
        if process.is_running and process.frozen_at < (process.stopped_at or 0):
            self.oracle.violated(f"{process} has not stopped in time{' although all is calm' if calm else ''}")

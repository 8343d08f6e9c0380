"""Senders and producers as simulated processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from hello_queue.sqs.concurrency import Concurrency
from hello_queue.sqs.line_batches import Line, LineBatches
from hello_queue.sqs.message_format import MessageFormat
from hello_queue.sqs.messages import InvalidMessage
from hello_queue.sqs.producer import Outcome, Producer
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.sender import Sender
from hello_queue.sqs.sending_progress import SendingProgress
from tests.simulation.actors import EXPECTED, Actor
from tests.simulation.network import URL

if TYPE_CHECKING:
    from tests.simulation.world import World


class _Progress(SendingProgress):
    """Progress whose position is compared with what SQS has."""

    def __init__(self, skipped: int, actor: SenderActor) -> None:
        super().__init__(skipped, None, actor.report)
        self._actor = actor

    def settle(self, outcome: Outcome) -> None:
        before = self.position
        super().settle(outcome)
        self._actor.settled(self, outcome, before)


class SenderActor(Actor):
    """send.py with a file or a pipe. After a kill it continues after the last position that it had reached."""

    position = 0
    _stop: Callable[[], None] = staticmethod(lambda: None)

    async def main(self) -> None:
        scenario = self.world.scenario
        retries = RetryPolicy(scenario.retry_timeout, self.report)
        fifo = scenario.kind == "fifo"
        producer = Producer(self.transport(), f"{URL}/1/{scenario.queue}", retries)
        message_format = MessageFormat(json_lines=True, fifo=fifo, deduplication=fifo and not scenario.content_based)
        progress = self.progress = _Progress(self.position, self)
        concurrency = Concurrency(scenario.sending, cpu_clock=self.world.cpu_clock)
        self.oracle.slots[self.process] = scenario.sending
        sender = Sender(producer, message_format, progress, concurrency)

        def stop() -> None:
            retries.stop()
            sender.stop()

        self._stop = stop
        await sender.send(LineBatches(self._lines(), self.position))
        if progress.position == len(self.world.scenario.lines[self.role]):
            self.is_done = True
        elif progress.error is None and self.process.stopped_at is None:
            self.oracle.violated(f"{self.process} ended at line {progress.position} without an error")

    def _lines(self) -> AsyncIterator[list[Line]]:
        return _Pipe([_json(*line) for line in self.world.scenario.lines[self.role]], self.world)

    def settled(self, progress: _Progress, outcome: Outcome, before: int) -> None:
        """Some lines are settled: what counts as sent must be in SQS, and so must all lines up to the position."""
        if self.process.dead:
            return
        oracle = self.oracle
        lines = self.world.scenario.lines[self.role]
        twice = 0
        for number in outcome.sent:
            body = lines[number - 1][0]
            oracle.promised.setdefault(body, oracle.now())
            if not oracle.stored[body]:
                oracle.violated(f"{self.process} reports line {number} ({body}) as sent, but SQS does not have it")
            twice += len(oracle.requests_by_key[self.process, body]) > 1
        if self.world.scenario.kind != "fifo" and twice > outcome.maybe_twice + outcome.corrupted:
            oracle.violated(f"{self.process} sent {twice} messages twice and reports {outcome.maybe_twice}")
        for number, _, reason in outcome.refused:
            self.world.calls.refused(self.process, lines[number - 1][0], reason)
            self.world.refused.add(lines[number - 1][0])
        if outcome.error is not None:
            self.world.calls.gave_up(self.process, outcome.error)
        for number in range(before + 1, progress.position + 1):
            body = lines[number - 1][0]
            if not oracle.stored[body] and body not in self.world.refused:
                oracle.violated(f"{self.process} would continue after line {progress.position}, but {body} is not sent")
        self.position = progress.position

    def stop(self) -> None:
        self._stop()


class ProducerActor(Actor):
    """A program that sends single messages from several tasks."""

    def __init__(self, world: World, role: str) -> None:
        super().__init__(world, role)
        self._left = list(world.scenario.lines[role])
        self._stopping = False

    async def main(self) -> None:
        scenario = self.world.scenario
        retries = self._retries = RetryPolicy(scenario.retry_timeout, self.report)
        fifo = scenario.kind == "fifo"
        message_format = MessageFormat(fifo=fifo, deduplication=fifo and not scenario.content_based)
        producer = Producer(
            self.transport(),
            f"{URL}/1/{scenario.queue}",
            retries,
            batches_in_flight=scenario.sending,
            message_format=message_format,
        )
        self.oracle.slots[self.process] = scenario.sending
        left = list(self._left)
        if self.world.chance.random() < 0.5:
            await asyncio.gather(*(self._send(producer, line) for line in left))
        else:
            for line in left:
                await self._send(producer, line)
                await asyncio.sleep(self.world.chance.choice((0, 0, 0.3)))
                if self._stopping:
                    break
        await producer.flush()
        self.is_done = not self._left

    async def _send(self, producer: Producer, line: tuple[str, str | None, int]) -> None:
        body, group, delay = line
        options: dict[str, Any] = {} if group is None else {"group": group}
        if delay:
            options["delay"] = delay
        try:
            await producer.send(body, **options)
        except (*EXPECTED, InvalidMessage) as error:
            self.oracle.note(self.process, f"did not send {body}: {error!r}"[:110])
            if isinstance(error, InvalidMessage):
                self.world.calls.refused(self.process, body, str(error))
            else:
                self.world.calls.gave_up(self.process, error)
            return
        self.oracle.promised.setdefault(body, self.oracle.now())
        if not self.oracle.stored[body]:
            self.oracle.violated(f"{self.process} returns an id for {body}, but SQS does not have it")
        self._left.remove(line)

    def stop(self) -> None:
        self._stopping = True
        if hasattr(self, "_retries"):
            self._retries.stop()


class _Pipe:
    """Lines that arrive in portions."""

    def __init__(self, lines: list[Line], world: World) -> None:
        self._lines = lines
        self._world = world
        self._slow = world.chance.random() < 0.5
        self._next = 0

    def __aiter__(self) -> _Pipe:
        return self

    async def __anext__(self) -> list[Line]:
        if self._next >= len(self._lines):
            raise StopAsyncIteration
        if gap := self._world.scenario.gap:
            await asyncio.sleep(self._world.chance.uniform(0, 2 * gap))
        elif self._slow:
            await asyncio.sleep(self._world.chance.choice((0, 0.01, 0.5)))
        number = 1 if gap else self._world.chance.randint(1, 25)
        portion = self._lines[self._next : self._next + number]
        self._next += number
        return portion


def _json(body: str, group: str | None, delay: int) -> bytes:
    content: dict[str, Any] = {"body": body}
    if group is not None:
        content["group"] = group
    if delay:
        content["delay"] = delay
    return json.dumps(content).encode()

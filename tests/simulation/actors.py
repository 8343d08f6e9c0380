"""The engine's consumers and redrives as simulated processes. The engine's code is unchanged."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore import exceptions as aws

from hello_queue.aws.clients import READ_TIMEOUT_SECONDS
from hello_queue.aws.errors import error_code
from hello_queue.errors import HelloQueueError
from hello_queue.operations.dead_letters import unchanged
from hello_queue.operations.removal import Deleter, Mover
from hello_queue.operations.scan import HOLD_SECONDS, Scan
from hello_queue.operations.selection import Selection
from hello_queue.sqs.consumer import Consumer
from hello_queue.sqs.consumer_config import ConsumerConfig
from hello_queue.sqs.handlers import CannotGoOn, Handler, Message, RetryLater, batch_handler
from hello_queue.sqs.producer import Producer
from hello_queue.sqs.queues import is_fifo
from hello_queue.sqs.retries import RetryPolicy, Stopped
from tests.simulation.faults import Event
from tests.simulation.network import URL, SimulatedTransport
from tests.simulation.oracle import Oracle
from tests.simulation.receipts import Receipt
from tests.simulation.scenario import Behaviour
from tests.simulation.virtual_loop import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

EXPECTED = (aws.ClientError, aws.BotoCoreError, CannotGoOn, HelloQueueError, Stopped)
"""How a process may end, besides well."""


UNLUCKY = {"ExpiredToken", "RequestThrottled", "ServiceUnavailable", "InternalError", "OverLimit"}
"""Errors of SQS for which a process need not have done anything wrong."""


class _Transport(SimulatedTransport):
    """Reports the calls of an actor to the checks, and has happen what happens right after a call."""

    def __init__(self, actor: Actor) -> None:
        super().__init__(actor.world.network, actor.process, actor.role)
        self._actor = actor

    async def call(self, action: str, parameters: Mapping[str, Any], timeout: float = READ_TIMEOUT_SECONDS) -> Any:
        calls = self._actor.world.calls
        calls.begins(self._process, action, parameters)
        self._actor.happens_after(action)
        try:
            answer = await super().call(action, parameters, timeout)
        except (aws.ClientError, aws.BotoCoreError) as error:
            calls.failed(self._process, action, error)
            raise
        calls.answered(self._process, action, parameters, answer)
        return answer


class Actor:
    """What a role runs. A new one begins whenever the role's process has ended.

    Attributes:
        is_done: the role needs no further process.
        awaited: events that happen after some more calls of their action.
    """

    is_done = False

    def __init__(self, world: World, role: str) -> None:
        self.world = world
        self.role = role
        self.awaited: dict[Event, int] = {}
        self.process: Process

    @property
    def oracle(self) -> Oracle:
        return self.world.oracle

    def transport(self) -> SimulatedTransport:
        return _Transport(self)

    def happens_after(self, action: str) -> None:
        """What happens after this call happens as soon as the request is on its way."""
        for event in [event for event in self.awaited if event.action == action]:
            self.awaited[event] -= 1
            if not self.awaited[event]:
                del self.awaited[event]
                self.world.loop.call_soon(self.world.strike, event, context=contextvars.Context())

    def report(self, line: str) -> None:
        self.oracle.note(self.process, f"reports: {line}")

    async def run(self) -> None:
        """The main function of a process."""
        try:
            await self.main()
        except EXPECTED as error:
            if isinstance(error, aws.ClientError) and error_code(error) not in UNLUCKY:
                self.oracle.violated(f"{self.process} makes a wrong call: {error}")
            self.world.calls.gave_up(self.process, error)
            self.oracle.note(self.process, f"ends: {type(error).__name__} {error}"[:120])
        except Exception as error:
            self.oracle.violated(f"{self.process} has a bug: {error!r}")

    async def main(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """The process is asked to stop."""

    def most_seconds_to_stop(self, *, calm: bool) -> float:
        """How long a stop may take."""
        return 65


class ConsumerActor(Actor):
    """A consumer with a handler that behaves as the scenario says."""

    _consumer: Consumer | None = None

    async def main(self) -> None:
        scenario = self.world.scenario
        config = ConsumerConfig(
            url=f"{URL}/1/{scenario.queue}",
            concurrency=scenario.concurrency,
            visibility_timeout=scenario.visibility_timeout,
            max_handling_seconds=scenario.max_handling_seconds,
            limit=None if self.oracle.is_calm else scenario.limit,
            empty_after=None if self.oracle.is_calm else scenario.empty_after,
            retry_timeout=scenario.retry_timeout,
        )
        self.oracle.concurrency[self.process] = scenario.handled_at_once
        self.oracle.slots[self.process] = 8  # deletes at once
        handler = self._batch_handler() if scenario.batch else self._handle
        consumer = self._consumer = Consumer(self.transport(), self.transport(), handler, config, self.report)
        self.oracle.consumers[self.process] = consumer
        finished = await consumer.run(scenario.grace)
        self.world.checks.consumer_ended(self.process, consumer, config, finished=finished)

    async def _handle(self, message: Message) -> None:
        receipt = self._begin(message)
        behaviour = self._behaviour(message)
        if behaviour.seconds:
            await asyncio.sleep(behaviour.seconds)
        error = self._end(receipt, behaviour)
        if error is not None:
            raise error

    def _batch_handler(self) -> Handler:
        """A handler that takes as long as the slowest message of its batch. Where some fail, it returns which, or, now
        and then, raises the first exception, so that all fail."""
        most = self.world.scenario.batch

        @batch_handler(most)
        async def handle(messages: list[Message]) -> dict[str, BaseException] | None:
            if len(messages) > most:
                self.oracle.violated(f"{self.process} handles a batch of {len(messages)} messages, not {most}")
            receipts = [self._begin(message) for message in messages]
            behaviours = [self._behaviour(message) for message in messages]
            seconds = max(behaviour.seconds for behaviour in behaviours)
            if seconds:
                await asyncio.sleep(seconds)
            failing = [behaviour for behaviour in behaviours if behaviour.kind not in ("ok", "hang")]
            raises = bool(failing) and self.world.chance.random() < 0.3
            if raises:
                behaviours = [failing[0]] * len(behaviours)
            errors = [self._end(*each) for each in zip(receipts, behaviours, strict=True)]
            failed = {each.id: error for each, error in zip(messages, errors, strict=True) if error is not None}
            if raises:
                raise next(iter(failed.values()))
            return failed or None

        return handle

    def _begin(self, message: Message) -> Receipt:
        receipt = self.oracle.begins(self.process, message)
        assert self._consumer is not None
        self.world.checks.held(self.process, self._consumer)
        return receipt

    def _behaviour(self, message: Message) -> Behaviour:
        """What the handler does with a message this time."""
        behaviour = self.world.behaviour(message.body)
        attempt = self.world.attempts[message.body] = self.world.attempts[message.body] + 1
        if behaviour.kind != "poison" and attempt > max(1, behaviour.times):
            return replace(behaviour, kind="ok")
        if behaviour.kind == "hang":
            return replace(behaviour, seconds=self.world.scenario.max_handling_seconds * 2)
        return behaviour

    def _end(self, receipt: Receipt, behaviour: Behaviour) -> BaseException | None:
        """The handler has finished with a message. Returns what it raises, or None."""
        kind = behaviour.kind
        if kind in ("ok", "hang"):
            self.oracle.ends(receipt, "handled")
            return None
        self.oracle.ends(receipt, kind if kind in ("later", "cannot go on") else "failed")
        if kind == "later":
            self.oracle.later[receipt.handle] = behaviour.wait
            return RetryLater(behaviour.wait)
        if kind == "cannot go on":
            return CannotGoOn("the database is gone")
        if kind == "exit":
            return SystemExit(3)
        if kind == "cancelled":
            return asyncio.CancelledError()  # what a handler awaited was cancelled
        return ValueError("this order is invalid")

    def stop(self) -> None:
        if self._consumer is not None:
            self._consumer.stop()

    def most_seconds_to_stop(self, *, calm: bool) -> float:
        return self.world.scenario.grace + (6 if calm else 65)


class RedriveActor(Actor):
    """redrive.py, message by message."""

    async def main(self) -> None:
        scenario = self.world.scenario
        await asyncio.sleep(self.world.chance.uniform(0, scenario.seconds))
        retries = RetryPolicy(scenario.retry_timeout, self.report)
        transport, dead_url = self.transport(), f"{URL}/1/{self.world.dead.name}"
        producer = Producer(transport, f"{URL}/1/{scenario.queue}", retries)
        deleter = Deleter(transport, dead_url, retry_policy=retries, report=self.report)
        fifo = is_fifo(scenario.queue)
        mover = Mover(producer, deleter, lambda each: unchanged(each, fifo=fifo), target_arn="", report=self.report)
        ids = [message.id for message in self.world.dead.messages][:2] if self.world.chance.random() < 0.3 else []
        scan = Scan(
            transport,
            dead_url,
            Selection(ids=ids),
            hold=HOLD_SECONDS,
            retry_policy=retries,
            report=self.report,
            clock=self.world.loop.time,
        )
        await scan.run(mover, removes=True)
        if not ids and not self.world.is_unlucky:
            self.world.checks.moved(self.process, mover.left)
        self.is_done = True

    def stop(self) -> None:
        self.process.kill()  # redrive.py ends at the first signal

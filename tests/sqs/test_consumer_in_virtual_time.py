"""The consumer when SQS does not answer for long, in virtual time against the simulation's model of SQS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hello_queue.sqs.consumer import Consumer
from hello_queue.sqs.consumer_config import ConsumerConfig
from hello_queue.sqs.handlers import Message
from tests.simulation.sqs_model import Queue
from tests.simulation.sqs_service import Refused, Service
from tests.simulation.virtual_loop import START_SECONDS, VirtualLoop


class _Transport:
    """Calls the model, at once. ``throttled``: until how many seconds after the beginning, by action."""

    def __init__(self, service: Service, throttled: Mapping[str, float]) -> None:
        self._service = service
        self._throttled = throttled
        self._loop = asyncio.get_running_loop()

    async def call(self, action: str, parameters: Mapping[str, Any], timeout: float = 0) -> Any:
        if self._loop.time() < START_SECONDS + self._throttled.get(action, 0):
            raise Refused("RequestThrottled").raised(action)
        if action != "ReceiveMessage":
            return self._service.perform(action, parameters)
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._service.receive(parameters, answer.set_result)
        return await answer

    async def close(self) -> None:
        """There is nothing to close."""


def consumed(
    bodies: list[str],
    handler: Callable[[Message], Awaitable[None]],
    throttled: Mapping[str, float],
    **config: Any,
) -> tuple[dict[str, int], list[str]]:
    """Have these messages handled. Returns what the consumer counted and what it reported."""
    loop = VirtualLoop()
    queue = Queue("main", loop.time, visibility_timeout=4)
    for body in bodies:
        queue.add(body, {})
    lines: list[str] = []

    async def run() -> dict[str, int]:
        transport = _Transport(Service({"main": queue}, loop), throttled)
        settings = ConsumerConfig(url="https://sqs/1/main", limit=len(bodies), visibility_timeout=4, **config)
        worker = Consumer(transport, transport, handler, settings, lines.append)
        await worker.run()
        return worker.counts.snapshot()

    try:
        return loop.run_until_complete(run()), lines
    finally:
        loop.close()


def test_a_message_whose_delete_takes_long_was_not_handled_for_long() -> None:
    """It is kept until SQS has deleted it. Its handler is not busy any more."""

    async def handler(message: Message) -> None:
        if message.body == "slow":
            await asyncio.sleep(20)

    counts, lines = consumed(
        ["quick", "slow"], handler, {"DeleteMessageBatch": 15}, concurrency=2, max_handling_seconds=5
    )
    assert (counts["processed"], counts["expired"]) == (1, 1)
    too_long = [line for line in lines if "has been handled for more than 5 s" in line]
    assert len(too_long) == 1
    assert "Every handler is busy" not in too_long[0]

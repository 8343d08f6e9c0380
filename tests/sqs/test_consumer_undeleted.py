"""What was handled and is not deleted yet holds the consumer back. In virtual time; SQS does not delete."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hello_queue.sqs import consumer
from hello_queue.sqs.checksums import body_md5
from hello_queue.sqs.consumer import Consumer
from hello_queue.sqs.consumer_config import ConsumerConfig
from hello_queue.sqs.handlers import Message
from tests.simulation.virtual_loop import VirtualLoop

URL = "https://sqs.us-east-1.amazonaws.com/111122223333/test"
CONCURRENCY = 10
HANDLING_SECONDS = 0.05
MOST_AHEAD = 2 * CONCURRENCY
"""What is received before handlers are free: what they begin within 0.1 s."""


class FullQueue:
    """A transport to a queue that never becomes empty.

    Attributes:
        received: how many messages it has handed out.
        delete: what a DeleteMessageBatch does before it succeeds.
    """

    def __init__(self, delete: Callable[[], Awaitable[None]]) -> None:
        self.delete = delete
        self.received = 0
        self._numbers = itertools.count()

    async def call(self, action: str, parameters: Mapping[str, Any], timeout: float = 30) -> Any:
        await asyncio.sleep(0.01)
        if action == "ReceiveMessage":
            self.received += parameters["MaxNumberOfMessages"]
            return {"Messages": [self._message() for _ in range(parameters["MaxNumberOfMessages"])]}
        if action == "DeleteMessageBatch":
            await self.delete()
        return {"Successful": [{"Id": each["Id"]} for each in parameters["Entries"]]}

    def _message(self) -> dict[str, Any]:
        number = str(next(self._numbers))
        return {
            "MessageId": number,
            "ReceiptHandle": number,
            "Body": number,
            "MD5OfBody": body_md5(number),
            "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0"},
        }

    async def close(self) -> None:
        """There is nothing to close."""


def during(work: Callable[[FullQueue], Awaitable[None]], delete: Callable[[], Awaitable[None]]) -> None:
    """Do the work while a consumer runs, and then stop it."""

    async def handler(message: Message) -> None:
        await asyncio.sleep(HANDLING_SECONDS)

    async def main() -> None:
        queue = FullQueue(delete)
        config = ConsumerConfig(url=URL, concurrency=CONCURRENCY)
        worker = Consumer(queue, queue, handler, config, lambda notice: None)
        running = asyncio.ensure_future(worker.run())
        await work(queue)
        worker.stop()
        await running

    loop = VirtualLoop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_it_receives_no_more_than_may_wait_for_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQS does not answer deletes."""
    monkeypatch.setattr(consumer, "MAX_UNDELETED", 50)

    async def work(queue: FullQueue) -> None:
        await asyncio.sleep(5)
        assert 50 <= queue.received <= 50 + MOST_AHEAD + CONCURRENCY

    during(work, lambda: asyncio.sleep(10))


def test_while_deletes_fail_it_receives_nothing_and_then_goes_on() -> None:
    """What it handled would be received, and handled, again."""
    failing = True

    async def delete() -> None:
        if failing:
            parsed: Any = {"Error": {"Code": "InternalError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
            raise ClientError(parsed, "DeleteMessageBatch")

    async def work(queue: FullQueue) -> None:
        nonlocal failing
        await asyncio.sleep(5)
        before = queue.received
        assert before <= 2 * CONCURRENCY + MOST_AHEAD
        failing = False
        await asyncio.sleep(20)  # longer than the longest pause between two attempts
        assert queue.received > 10 * before

    during(work, delete)

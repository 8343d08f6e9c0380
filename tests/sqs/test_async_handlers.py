"""``async def`` handlers run on the event loop, with the same contract."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hello_queue.sqs.handlers import CannotGoOn, Message, RetryLater
from tests.conftest import Aws
from tests.faults import Fault, FaultyPath
from tests.queues import bodies, fill
from tests.sqs.consuming import consumer

pytestmark = pytest.mark.usefixtures("sqs")


def test_messages_are_handled_at_once_up_to_the_concurrency(aws: Aws, queue: str) -> None:
    fill(aws, queue, *(f"{number}" for number in range(60)))
    running = most = 0

    async def handler(message: Message) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1

    worker = consumer(queue, handler, concurrency=8)
    assert worker.run()
    assert worker.counts["processed"] == 60
    assert most == 8
    assert bodies(aws, queue) == []


def test_what_a_handler_raises_counts(aws: Aws, queue: str) -> None:
    fill(aws, queue, "good", "bad", "later", "exits")
    reported: list[str] = []

    async def handler(message: Message) -> None:
        await asyncio.sleep(0)
        if message.body == "bad":
            raise ValueError("what is wrong")
        if message.body == "later" and message.receive_count == 1:
            raise RetryLater(1)
        if message.body == "exits":
            raise SystemExit(3)

    worker = consumer(queue, handler, empty_after=3, report=reported.append)
    assert worker.run()
    counts = worker.counts
    assert (counts["processed"], counts["failed"], counts["postponed"]) == (2, 2, 1)
    assert sorted(line.split(": ", 1)[1].partition(" (")[0] for line in reported) == [
        "SystemExit: 3",
        "ValueError: what is wrong",
    ]


def test_a_stop_waits_for_what_has_begun(aws: Aws, queue: str) -> None:
    fill(aws, queue, *(f"{number}" for number in range(20)))
    handled: list[str] = []

    async def handler(message: Message) -> None:
        if not handled:
            worker.stop()
        await asyncio.sleep(0.1)
        handled.append(message.body)

    worker = consumer(queue, handler, concurrency=2, empty_after=None)
    assert worker.run()
    assert 1 <= len(handled) <= 4
    assert len(handled) + len(bodies(aws, queue)) == 20


def test_a_message_whose_digest_does_not_match_is_not_handled(aws: Aws, path: FaultyPath, queue: str) -> None:
    fill(aws, queue, "good", "forged")
    handled: list[str] = []
    reported: list[str] = []

    async def handler(message: Message) -> None:
        handled.append(message.body)

    def forge(answer: dict[str, Any]) -> dict[str, Any]:
        messages = [
            {**each, "Body": "something else"} if each["Body"] == "forged" else each
            for each in answer.get("Messages", [])
        ]
        return {**answer, "Messages": messages}

    path.plan = lambda action, _: Fault(edit=forge) if action == "ReceiveMessage" else None
    worker = consumer(queue, handler, report=reported.append)
    worker.run()
    assert handled == ["good"]
    assert (worker.counts["processed"], worker.counts["failed"]) == (1, 1)
    assert "does not match SQS's MD5 digest" in reported[0]


def test_heartbeats_that_stall_cost_no_message(aws: Aws, path: FaultyPath, queue: str) -> None:
    """Handlers three times as long as the visibility timeout, two healthy consumers, every second heartbeat stalls."""
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "4"})
    texts = [f"{number}" for number in range(6)]
    fill(aws, queue, *texts)
    begun: list[str] = []

    async def handler(message: Message) -> None:
        begun.append(message.body)
        if len(begun) > len(texts):
            raise CannotGoOn("a message was delivered twice")  # the test fails now, instead of going on forever
        await asyncio.sleep(12)

    def plan(action: str, content: dict[str, Any]) -> Fault | None:
        if action == "ChangeMessageVisibilityBatch" and path.count(action) % 2:
            return Fault(stall=20, status=500, code="InternalFailure")  # SQS never receives it
        return None

    path.plan = plan

    async def both() -> list[bool]:
        options: dict[str, Any] = {"concurrency": 3, "visibility_timeout": 4, "empty_after": 3}
        workers = [consumer(queue, handler, **options) for _ in range(2)]
        return await asyncio.gather(*(asyncio.to_thread(each.run) for each in workers))

    assert asyncio.run(both()) == [True, True]
    assert sorted(begun) == texts
    assert bodies(aws, queue) == []

"""The consumer when handlers are slow, and when calls fail or are delayed."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws
from tests.faults import BROKEN, THROTTLED, Fault, FaultyPath
from tests.queues import bodies
from tests.sqs.conftest import in_background
from tests.sqs.consuming import Recorder, consumer, fill

pytestmark = pytest.mark.usefixtures("sqs")


def test_slow_handlers_keep_their_messages(aws: Aws, queue: str) -> None:
    """For three times the visibility timeout, with two consumers: no message is received twice."""
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "4"})
    texts = fill(aws, queue, 8)
    handler = Recorder(lambda message: time.sleep(12))
    workers = [consumer(queue, handler, concurrency=4, visibility_timeout=4, empty_after=4) for _ in range(2)]
    threads = [in_background(worker.run) for worker in workers]
    for thread in threads:
        thread.join(60)
    assert sorted(handler.begun) == texts
    assert sum(worker.counts["processed"] for worker in workers) == 8
    assert all(worker.counts["expired"] == 0 for worker in workers)


def test_without_the_heartbeat_they_lose_them(aws: Aws, queue: str, path: FaultyPath) -> None:
    """The counterpart: without extensions the visibility timeout expires, and the message is not deleted."""
    path.plan = lambda action, _: BROKEN if action == "ChangeMessageVisibilityBatch" else None
    fill(aws, queue, 1)
    lines: list[str] = []
    worker = consumer(
        queue, Recorder(lambda message: time.sleep(3)), visibility_timeout=1, limit=1, report=lines.append
    )
    worker.run()
    assert (worker.counts["expired"], worker.counts["processed"]) == (1, 0)
    assert path.count("DeleteMessageBatch") == 0
    assert "It will be received again" in lines[-1]
    assert bodies(aws, queue) == ["00000"]


@pytest.mark.parametrize(("concurrency", "all_busy"), [(1, True), (2, False)])
def test_a_handler_that_takes_too_long_loses_its_message(
    aws: Aws, queue: str, concurrency: int, all_busy: bool
) -> None:
    """The report says so if no other message can be received meanwhile."""
    fill(aws, queue, 1)
    lines: list[str] = []
    worker = consumer(
        queue,
        Recorder(lambda message: time.sleep(4)),
        concurrency=concurrency,
        visibility_timeout=1,
        max_handling_seconds=1,
        limit=1,
        report=lines.append,
    )
    worker.run()
    assert worker.counts["expired"] == 1
    assert "more than 1 s" in lines[0]
    assert ("no other message is received until a handler returns" in lines[0]) == all_busy
    assert len(lines) == 2
    assert bodies(aws, queue) == ["00000"]


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, Fault(lose_answer=True), Fault(cut_answer=True)])
def test_a_failed_delete_is_retried(aws: Aws, path: FaultyPath, queue: str, fault: Fault) -> None:
    fill(aws, queue, 5)
    path.plan = lambda action, _: fault if action == "DeleteMessageBatch" and path.count(action) <= 2 else None
    handler = Recorder()
    worker = consumer(queue, handler, limit=5)
    worker.run()
    assert len(handler.bodies) == worker.counts["processed"] == 5
    assert bodies(aws, queue) == []


def test_entries_of_a_delete_that_fail(aws: Aws, path: FaultyPath, queue: str) -> None:
    """A transient failure is retried; one that is the caller's fault is reported."""
    fill(aws, queue, 1)
    lines: list[str] = []
    edits = [
        {"Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError", "Message": "later"}]},
        {"Failed": [{"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "never"}]},
    ]
    path.plan = lambda action, _: Fault(edit=lambda _: edits.pop(0)) if action == "DeleteMessageBatch" else None
    worker = consumer(queue, Recorder(), limit=1, report=lines.append)
    worker.run()
    assert (worker.counts["processed"], worker.counts["undeleted"]) == (0, 1)
    assert "never (ReceiptHandleIsInvalid)" in lines[-1]


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, Fault(cut_answer=True)])
def test_a_failed_poll_is_retried(aws: Aws, path: FaultyPath, queue: str, fault: Fault) -> None:
    fill(aws, queue, 1)
    lines: list[str] = []
    path.plan = lambda action, _: fault if action == "ReceiveMessage" and path.count(action) <= 3 else None
    handler = Recorder()
    consumer(queue, handler, limit=1, visibility_timeout=1, report=lines.append).run()
    assert handler.bodies == ["00000"]
    assert len(lines) == 1, "a failure is reported once, not at each attempt"


def test_messages_of_a_delayed_answer_are_not_handled(aws: Aws, path: FaultyPath, queue: str) -> None:
    """The visibility timeout is two seconds, the answer takes three, and another consumer has received the message."""
    fill(aws, queue, 1)

    def plan(action: str, content: dict[str, Any]) -> Fault | None:
        if action == "ReceiveMessage" and path.count(action) == 1:
            threading.Timer(2.5, lambda: others.extend(receive(aws, queue))).start()
            return Fault(stall=3)
        return None

    others: list[str] = []
    path.plan = plan
    handler = Recorder()
    consumer(queue, handler, visibility_timeout=2, empty_after=2).run()
    assert others == ["00000"]
    assert handler.begun == []


def receive(aws: Aws, queue: str) -> list[str]:
    received = aws.client("sqs").receive_message(QueueUrl=queue, VisibilityTimeout=60)
    return [message["Body"] for message in received.get("Messages", [])]


def test_an_error_that_is_not_transient_ends_the_consumer(aws: Aws, queue: str) -> None:
    with pytest.raises(ClientError, match="QueueDoesNotExist"):
        consumer(f"{queue}-gone", Recorder()).run()


def test_the_retry_timeout_ends_the_consumer(path: FaultyPath, queue: str) -> None:
    path.plan = lambda action, _: THROTTLED
    with pytest.raises(ClientError, match="RequestThrottled"):
        consumer(queue, Recorder(), retry_timeout=0.5).run()

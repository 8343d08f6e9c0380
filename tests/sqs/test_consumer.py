"""The consumer: what is not handled is not deleted, what is ours stays ours, and nothing is kept that others could
do.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hello_queue.sqs.consumer import Consumer
from hello_queue.sqs.handlers import CannotGoOn, Message, RetryLater
from tests import queues
from tests.conftest import Aws
from tests.faults import BROKEN, THROTTLED, Fault, FaultyPath
from tests.queues import bodies, redrive_policy
from tests.sqs.conftest import in_background


class Handled:
    """A handler that remembers, and does what it is told to."""

    def __init__(self, do: Callable[[Message], object] = lambda message: None) -> None:
        self._do = do
        self.begun: list[str] = []
        self.bodies: list[str] = []

    def __call__(self, message: Message) -> None:
        self.begun.append(message.body)
        self._do(message)
        self.bodies.append(message.body)


def fill(aws: Aws, queue: str, number: int) -> list[str]:
    """Send so many messages. Returns their bodies."""
    texts = [f"{index:05}" for index in range(number)]
    queues.fill(aws, queue, *texts)
    return texts


def consumer(sqs: Any, queue: str, handler: Handled, **options: Any) -> Consumer:
    return Consumer(sqs, queue, handler, **{"empty_after": 1, "tell": lambda line: None, **options})


def invisible(aws: Aws, queue: str) -> int:
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessagesNotVisible"])


@pytest.mark.parametrize("concurrency", [1, 8])
def test_everything_is_handled_once_and_deleted(aws: Aws, sqs: Any, queue: str, concurrency: int) -> None:
    texts = fill(aws, queue, 205)
    handler = Handled()
    worker = consumer(sqs, queue, handler, concurrency=concurrency)
    assert worker.run()
    assert sorted(handler.bodies) == texts
    assert worker.counts["processed"] == 205
    assert bodies(aws, queue) == []


def test_a_limit_is_kept_whatever_the_concurrency(aws: Aws, sqs: Any, queue: str) -> None:
    fill(aws, queue, 40)
    handler = Handled()
    consumer(sqs, queue, handler, concurrency=8, limit=23).run()
    assert len(handler.bodies) == 23
    assert len(bodies(aws, queue)) == 17


def test_fast_messages_go_in_batches_slow_ones_alone(aws: Aws, path: FaultyPath, sqs: Any, queue: str) -> None:
    fill(aws, queue, 100)
    consumer(sqs, queue, Handled(), limit=100).run()
    assert path.count("DeleteMessageBatch") < 30
    path.seen.clear()
    fill(aws, queue, 4)
    consumer(sqs, queue, Handled(lambda message: time.sleep(0.6)), limit=4).run()
    asked = [content["MaxNumberOfMessages"] for action, content in path.seen if action == "ReceiveMessage"]
    assert asked == [1, 1, 1, 1]


def test_a_failure_leaves_the_message_and_goes_on(aws: Aws, sqs: Any, queue: str) -> None:
    fill(aws, queue, 3)
    told: list[str] = []

    def fail(message: Message) -> None:
        if message.body == "00001":
            raise ValueError("what is wrong")

    worker = consumer(sqs, queue, Handled(fail), tell=told.append)
    worker.run()
    assert (worker.counts["processed"], worker.counts["failed"]) == (2, 1)
    assert invisible(aws, queue) == 1
    assert "failed at receive 1: ValueError: what is wrong" in told[0]
    assert "test_consumer.py:" in told[0]


def test_a_handler_may_ask_for_a_delay(aws: Aws, sqs: Any, queue: str) -> None:
    fill(aws, queue, 1)
    times: list[float] = []

    def later(message: Message) -> None:
        times.append(time.monotonic())
        if message.receive_count == 1:
            raise RetryLater(1)

    worker = consumer(sqs, queue, Handled(later), empty_after=3)
    worker.run()
    assert (worker.counts["postponed"], worker.counts["processed"]) == (1, 1)
    assert 1 <= times[1] - times[0] < 5


def test_who_cannot_go_on_gives_everything_back(aws: Aws, sqs: Any, queue: str) -> None:
    fill(aws, queue, 30)
    reason = OSError("the disk is full")

    def fail(message: Message) -> None:
        if message.body == "00020":
            raise CannotGoOn from reason

    handler = Handled(fail)
    with pytest.raises(OSError, match="the disk is full"):
        consumer(sqs, queue, handler).run()
    assert sorted(handler.bodies + bodies(aws, queue)) == [f"{index:05}" for index in range(30)]


def test_slow_handlers_keep_their_messages(aws: Aws, queue: str, sqs: Any) -> None:
    """Three times the visibility timeout, and two healthy consumers: nobody gets a message twice."""
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "2"})
    texts = fill(aws, queue, 12)
    handler = Handled(lambda message: time.sleep(6))
    workers = [consumer(sqs, queue, handler, concurrency=4, visibility_timeout=2, empty_after=4) for _ in range(2)]
    threads = [in_background(worker.run) for worker in workers]
    for thread in threads:
        thread.join(60)
    assert sorted(handler.begun) == texts
    assert sum(worker.counts["processed"] for worker in workers) == 12
    assert all(worker.counts["lost"] == 0 for worker in workers)


def test_without_its_heartbeat_it_would_not(aws: Aws, queue: str, sqs: Any, path: FaultyPath) -> None:
    """The counterpart: where the heartbeat does not come through, the message is no longer ours, and is not deleted."""
    path.plan = lambda action, _: BROKEN if action == "ChangeMessageVisibilityBatch" else None
    fill(aws, queue, 1)
    told: list[str] = []
    worker = consumer(
        sqs, queue, Handled(lambda message: time.sleep(3)), visibility_timeout=1, limit=1, tell=told.append
    )
    worker.run()
    assert (worker.counts["lost"], worker.counts["processed"]) == (1, 0)
    assert path.count("DeleteMessageBatch") == 0
    assert "It comes again" in told[-1]
    assert bodies(aws, queue) == ["00000"]


def test_a_handler_that_takes_too_long_loses_its_message(aws: Aws, queue: str, sqs: Any) -> None:
    fill(aws, queue, 1)
    told: list[str] = []
    worker = consumer(
        sqs,
        queue,
        Handled(lambda message: time.sleep(4)),
        visibility_timeout=1,
        max_handling_seconds=1,
        limit=1,
        tell=told.append,
    )
    worker.run()
    assert worker.counts["lost"] == 1
    assert "more than 1 s" in told[0]
    assert len(told) == 2
    assert bodies(aws, queue) == ["00000"]


def test_what_waits_behind_a_slow_message_goes_to_others(aws: Aws, sqs: Any, queue: str) -> None:
    """Fast at first, so that ten come at once; then one of them takes long."""
    fill(aws, queue, 60)
    release = threading.Event()

    def handle(message: Message) -> None:
        if message.body == "00040":
            release.wait(30)

    handler = Handled(handle)
    worker = consumer(sqs, queue, handler, concurrency=2, limit=60)
    thread = in_background(worker.run)
    deadline = time.monotonic() + 20
    while worker.counts["processed"] < 59 and time.monotonic() < deadline:
        time.sleep(0.05)
    # Handled and deleted as well, while the slow one is still at it.
    assert len(handler.bodies) == worker.counts["processed"] == 59
    release.set()
    thread.join(10)
    assert worker.counts["processed"] == 60


def test_a_stop_finishes_what_has_begun_and_gives_back_the_rest(aws: Aws, sqs: Any, queue: str) -> None:
    texts = fill(aws, queue, 30)
    begun = threading.Event()

    def handle(message: Message) -> None:
        if message.body == "00015":
            begun.set()
            time.sleep(0.4)

    handler = Handled(handle)
    worker = consumer(sqs, queue, handler)
    finished: list[bool] = []
    thread = in_background(lambda: finished.append(worker.run()))
    assert begun.wait(20)
    worker.stop()
    thread.join(25)
    assert finished == [True]
    assert "00015" in handler.bodies
    assert worker.counts["given_back"] > 0
    assert invisible(aws, queue) == 0
    assert sorted(handler.bodies + bodies(aws, queue)) == texts


def test_a_handler_that_does_not_end_within_the_grace_time_is_left(aws: Aws, sqs: Any, queue: str) -> None:
    fill(aws, queue, 1)
    begun, release = threading.Event(), threading.Event()

    def handle(message: Message) -> None:
        begun.set()
        release.wait(30)

    worker = consumer(sqs, queue, Handled(handle))
    finished: list[bool] = []
    thread = in_background(lambda: finished.append(worker.run(grace=0.2)))
    assert begun.wait(20)
    worker.stop()
    thread.join(10)
    release.set()
    assert finished == [False]


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, Fault(lose_answer=True), Fault(cut_answer=True)])
def test_a_delete_that_fails_is_repeated(aws: Aws, path: FaultyPath, sqs: Any, queue: str, fault: Fault) -> None:
    fill(aws, queue, 5)
    path.plan = lambda action, _: fault if action == "DeleteMessageBatch" and path.count(action) <= 2 else None
    handler = Handled()
    worker = consumer(sqs, queue, handler, limit=5)
    worker.run()
    assert len(handler.bodies) == worker.counts["processed"] == 5
    assert bodies(aws, queue) == []


def test_deletes_that_fail_one_by_one(aws: Aws, path: FaultyPath, sqs: Any, queue: str) -> None:
    """The server answers so for a wrong receipt handle only; here for one now, and for one for good."""
    fill(aws, queue, 1)
    told: list[str] = []
    edits = [
        {"Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError", "Message": "later"}]},
        {"Failed": [{"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "never"}]},
    ]
    path.plan = lambda action, _: Fault(edit=lambda _: edits.pop(0)) if action == "DeleteMessageBatch" else None
    worker = consumer(sqs, queue, Handled(), limit=1, tell=told.append)
    worker.run()
    assert (worker.counts["processed"], worker.counts["undeleted"]) == (0, 1)
    assert "never (ReceiptHandleIsInvalid)" in told[-1]


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, Fault(cut_answer=True)])
def test_a_poll_that_fails_is_repeated(aws: Aws, path: FaultyPath, sqs: Any, queue: str, fault: Fault) -> None:
    fill(aws, queue, 1)
    told: list[str] = []
    path.plan = lambda action, _: fault if action == "ReceiveMessage" and path.count(action) <= 3 else None
    handler = Handled()
    consumer(sqs, queue, handler, limit=1, visibility_timeout=1, tell=told.append).run()
    assert handler.bodies == ["00000"]
    assert len(told) == 1, "trouble is told once, not at each attempt"


def test_an_answer_that_was_long_on_its_way_is_not_trusted(aws: Aws, path: FaultyPath, sqs: Any, queue: str) -> None:
    """The message was ours for two seconds; the answer took three, and somebody else has it by now."""
    fill(aws, queue, 1)

    def plan(action: str, content: dict[str, Any]) -> Fault | None:
        if action == "ReceiveMessage" and path.count(action) == 1:
            threading.Timer(2.5, lambda: others.extend(receive(aws, queue))).start()
            return Fault(stall=3)
        return None

    others: list[str] = []
    path.plan = plan
    handler = Handled()
    consumer(sqs, queue, handler, visibility_timeout=2, empty_after=2).run()
    assert others == ["00000"]
    assert handler.begun == []


def receive(aws: Aws, queue: str) -> list[str]:
    received = aws.client("sqs").receive_message(QueueUrl=queue, VisibilityTimeout=60)
    return [message["Body"] for message in received.get("Messages", [])]


def test_what_cannot_pass_ends_it(aws: Aws, sqs: Any, queue: str) -> None:
    with pytest.raises(ClientError, match="QueueDoesNotExist"):
        consumer(sqs, f"{queue}-gone", Handled()).run()


def test_patience_ends(path: FaultyPath, sqs: Any, queue: str) -> None:
    path.plan = lambda action, _: THROTTLED
    with pytest.raises(ClientError, match="RequestThrottled"):
        consumer(sqs, queue, Handled(), patience=0.5).run()


def test_idle_it_polls_with_one_thread_and_does_nothing_else(aws: Aws, path: FaultyPath, sqs: Any, queue: str) -> None:
    fill(aws, queue, 50)
    worker = consumer(sqs, queue, Handled(), concurrency=8, empty_after=None)
    thread = in_background(worker.run)
    deadline = time.monotonic() + 20
    while worker.counts["processed"] < 50 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    path.seen.clear()
    before = time.process_time()
    time.sleep(3)
    assert path.seen == []
    assert time.process_time() - before < 0.5
    worker.stop()
    thread.join(25)


@pytest.fixture
def fifo_queue(aws: Aws) -> Any:
    sqs = aws.client("sqs")
    name = f"t-{time.time_ns()}.fifo"
    url = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def test_the_order_within_a_group_is_kept(aws: Aws, sqs: Any, fifo_queue: str) -> None:
    """Under concurrency, with failures now and then: a failure holds back its group, and no other."""
    client = aws.client("sqs")
    for index in range(20):
        entries = [
            {
                "Id": group,
                "MessageBody": f"{group}{index}",
                "MessageGroupId": group,
                "MessageDeduplicationId": f"{group}{index}",
            }
            for group in "abcdefghij"
        ]
        client.send_message_batch(QueueUrl=fifo_queue, Entries=entries)
    failures = Counter[str]()

    def handle(message: Message) -> None:
        if message.body in ("a3", "c7", "j19") and message.receive_count == 1:
            failures[message.body] += 1
            raise ValueError("once")
        time.sleep(0.002)

    handler = Handled(handle)
    worker = consumer(sqs, fifo_queue, handler, concurrency=4, visibility_timeout=2, empty_after=5)
    worker.run()
    for group in "abcdefghij":
        assert [body for body in handler.bodies if body[0] == group] == [f"{group}{index}" for index in range(20)]
    assert sum(failures.values()) == 3
    assert handler.bodies.index("a3") - handler.bodies.index("a2") > 30, "the others did not wait"


def test_what_follows_a_poisoned_message_does_not_follow_it_into_the_dead_letter_queue(
    aws: Aws, sqs: Any, fifo_queue: str
) -> None:
    client = aws.client("sqs")
    name = f"t-{time.time_ns()}-dlq.fifo"
    dead = client.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
    client.set_queue_attributes(QueueUrl=fifo_queue, Attributes={"RedrivePolicy": redrive_policy(aws, dead, 3)})
    for index in range(12):
        text = "poison" if index == 4 else f"{index:02}"
        client.send_message(QueueUrl=fifo_queue, MessageBody=text, MessageGroupId="g", MessageDeduplicationId=text)

    def handle(message: Message) -> None:
        if message.body == "poison":
            raise ValueError

    handler = Handled(handle)
    consumer(sqs, fifo_queue, handler, visibility_timeout=1, empty_after=4).run()
    assert handler.bodies == [f"{index:02}" for index in range(12) if index != 4]
    assert bodies(aws, dead) == ["poison"]
    client.delete_queue(QueueUrl=dead)

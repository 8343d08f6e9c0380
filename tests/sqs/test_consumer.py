"""The consumer: which messages are handled and deleted, and which stay in the queue."""

from __future__ import annotations

import threading
import time

import pytest

from hello_queue.sqs import polling
from hello_queue.sqs.handlers import CannotGoOn, Message, RetryLater
from tests.conftest import Aws
from tests.faults import FaultyPath
from tests.queues import bodies
from tests.sqs.conftest import in_background
from tests.sqs.consuming import Recorder, consumer, fill, invisible

pytestmark = pytest.mark.usefixtures("sqs")


@pytest.mark.parametrize("concurrency", [1, 8])
def test_every_message_is_handled_once_and_deleted(aws: Aws, queue: str, concurrency: int) -> None:
    texts = fill(aws, queue, 205)
    handler = Recorder()
    worker = consumer(queue, handler, concurrency=concurrency)
    assert worker.run()
    assert sorted(handler.bodies) == texts
    assert worker.counts["processed"] == 205
    assert bodies(aws, queue) == []


def test_the_limit_holds_with_concurrency(aws: Aws, queue: str) -> None:
    fill(aws, queue, 40)
    handler = Recorder()
    consumer(queue, handler, concurrency=8, limit=23).run()
    assert len(handler.bodies) == 23
    assert len(bodies(aws, queue)) == 17


def test_fast_messages_are_received_in_batches_and_slow_ones_alone(aws: Aws, path: FaultyPath, queue: str) -> None:
    fill(aws, queue, 100)
    consumer(queue, Recorder(), limit=100).run()
    assert path.count("DeleteMessageBatch") < 30
    path.seen.clear()
    fill(aws, queue, 4)
    consumer(queue, Recorder(lambda message: time.sleep(0.6)), limit=4).run()
    asked = [content["MaxNumberOfMessages"] for action, content in path.seen if action == "ReceiveMessage"]
    assert asked == [1, 1, 1, 1]


def test_a_failed_message_stays_in_the_queue_and_the_others_are_handled(aws: Aws, queue: str) -> None:
    fill(aws, queue, 3)
    lines: list[str] = []

    def fail(message: Message) -> None:
        if message.body == "00001":
            raise ValueError("what is wrong")

    worker = consumer(queue, Recorder(fail), report=lines.append)
    worker.run()
    assert (worker.counts["processed"], worker.counts["failed"]) == (2, 1)
    assert invisible(aws, queue) == 1
    assert "failed at receive 1: ValueError: what is wrong" in lines[0]
    assert "test_consumer.py:" in lines[0]


class Stop(BaseException):
    pass


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Stop()])
def test_any_exception_fails_one_message(aws: Aws, queue: str, error: BaseException) -> None:
    """Those, too, that are not derived from Exception and would end a thread silently."""
    texts = fill(aws, queue, 12)
    lines: list[str] = []

    def fail(message: Message) -> None:
        if message.body == "00005":
            raise error

    handler = Recorder(fail)
    worker = consumer(queue, handler, report=lines.append)
    assert worker.run()
    assert (worker.counts["processed"], worker.counts["failed"]) == (11, 1)
    assert sorted(handler.bodies) == [text for text in texts if text != "00005"]
    assert len(lines) == 1
    assert f"failed at receive 1: {type(error).__name__}" in lines[0]


def test_an_exception_without_text_fails_one_message(aws: Aws, queue: str) -> None:
    """Its __str__ raises."""

    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise SystemExit

    def fail(message: Message) -> None:
        raise Unspeakable

    fill(aws, queue, 1)
    lines: list[str] = []
    assert consumer(queue, Recorder(fail), report=lines.append).run()
    assert "Unspeakable: (its text cannot be shown)" in lines[0]


def test_a_handler_can_postpone_a_message(aws: Aws, queue: str) -> None:
    fill(aws, queue, 1)
    times: list[float] = []

    def later(message: Message) -> None:
        times.append(time.monotonic())
        if message.receive_count == 1:
            raise RetryLater(1)

    worker = consumer(queue, Recorder(later), empty_after=3)
    worker.run()
    assert (worker.counts["postponed"], worker.counts["processed"]) == (1, 1)
    assert 1 <= times[1] - times[0] < 5


def test_cannot_go_on_returns_all_messages(aws: Aws, queue: str) -> None:
    fill(aws, queue, 30)
    reason = OSError("the disk is full")

    def fail(message: Message) -> None:
        if message.body == "00020":
            raise CannotGoOn from reason

    handler = Recorder(fail)
    with pytest.raises(CannotGoOn) as raised:
        consumer(queue, handler).run()
    assert raised.value.__cause__ is reason
    assert sorted(handler.bodies + bodies(aws, queue)) == [f"{index:05}" for index in range(30)]


def test_messages_behind_a_slow_one_are_handled_by_other_threads(aws: Aws, queue: str) -> None:
    """Fast handlers first, so that ten messages are received at once; then one of them is slow."""
    fill(aws, queue, 60)
    release = threading.Event()

    def handle(message: Message) -> None:
        if message.body == "00040":
            release.wait(30)

    handler = Recorder(handle)
    worker = consumer(queue, handler, concurrency=2, limit=60)
    thread = in_background(worker.run)
    deadline = time.monotonic() + 20
    while worker.counts["processed"] < 59 and time.monotonic() < deadline:
        time.sleep(0.05)
    # Handled and deleted, while the slow one is still running.
    assert len(handler.bodies) == worker.counts["processed"] == 59
    release.set()
    thread.join(10)
    assert worker.counts["processed"] == 60


def test_a_stop_finishes_running_handlers_and_returns_the_other_messages(aws: Aws, queue: str) -> None:
    texts = fill(aws, queue, 30)
    begun = threading.Event()

    def handle(message: Message) -> None:
        if message.body == "00015":
            begun.set()
            time.sleep(0.4)

    handler = Recorder(handle)
    worker = consumer(queue, handler)
    finished: list[bool] = []
    thread = in_background(lambda: finished.append(worker.run()))
    assert begun.wait(20)
    worker.stop()
    thread.join(25)
    assert finished == [True]
    assert "00015" in handler.bodies
    assert worker.counts["returned"] > 0
    assert invisible(aws, queue) == 0
    assert sorted(handler.bodies + bodies(aws, queue)) == texts


def test_a_handler_that_does_not_finish_within_the_grace_period_is_abandoned(aws: Aws, queue: str) -> None:
    fill(aws, queue, 1)
    begun, release = threading.Event(), threading.Event()

    def handle(message: Message) -> None:
        begun.set()
        release.wait(30)

    worker = consumer(queue, Recorder(handle))
    finished: list[bool] = []
    thread = in_background(lambda: finished.append(worker.run(grace=0.2)))
    assert begun.wait(20)
    worker.stop()
    thread.join(10)
    release.set()
    assert finished == [False]


def test_an_idle_consumer_makes_nothing_but_long_polls(
    aws: Aws, path: FaultyPath, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several polls may be in progress when the queue becomes empty; all but one end."""
    monkeypatch.setattr(polling, "POLL_SECONDS", 2)
    fill(aws, queue, 50)
    worker = consumer(queue, Recorder(), concurrency=8, empty_after=None)
    thread = in_background(worker.run)
    deadline = time.monotonic() + 20
    while worker.counts["processed"] < 50 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(3)  # longer than a poll that began before the last message was handled
    path.seen.clear()
    before = time.process_time()
    in_progress = 0
    for _ in range(50):
        in_progress = max(in_progress, path.in_progress["ReceiveMessage"])
        time.sleep(0.1)
    assert time.process_time() - before < 0.5
    assert in_progress == 1
    assert {(action, content.get("WaitTimeSeconds")) for action, content in path.seen} == {("ReceiveMessage", 2)}
    assert len(path.seen) <= 3
    worker.stop()
    thread.join(25)

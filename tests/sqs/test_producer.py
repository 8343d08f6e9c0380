"""The producer: messages reported as sent are in the queue, and all others are reported, whatever goes wrong."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from hello_queue.sqs.batches import Entry
from hello_queue.sqs.message_format import MessageFormat
from hello_queue.sqs.producer import Outcome, Producer
from hello_queue.sqs.retries import RetryPolicy, Stopped
from hello_queue.sqs.transports import open_transport
from tests.conftest import Aws
from tests.faults import BROKEN, THROTTLED, Fault, FaultyPath
from tests.queues import bodies

pytestmark = pytest.mark.usefixtures("sqs")


def entries(*texts: str) -> list[Entry]:
    return [MessageFormat().entry(line, text.encode()) for line, text in enumerate(texts, 1)]


def send(url: str, *texts: str, retry_timeout: float = 30, stop: threading.Event | None = None) -> Outcome:
    """Send messages in one batch. ``stop`` ends the retries."""
    outcome = Outcome()

    async def main() -> None:
        transport = open_transport(url, 4)
        retries = RetryPolicy(retry_timeout, lambda line: None)
        sending = asyncio.ensure_future(Producer(transport, url, retries).deliver(entries(*texts), outcome))
        while not sending.done():
            if stop is not None and stop.is_set():
                retries.stop()
            await asyncio.wait([sending], timeout=0.05)
        await sending
        await transport.close()

    asyncio.run(main())
    return outcome


def sent(outcome: Outcome) -> list[int]:
    return sorted(outcome.sent)


def first(path: FaultyPath, action: str, fault: Fault, times: int = 1) -> None:
    """Only the first calls of an action have a fault."""
    path.plan = lambda seen, _: fault if seen == action and path.count(action) <= times else None


def test_a_batch_is_sent(aws: Aws, queue: str) -> None:
    outcome = send(queue, "a", "b")
    assert outcome == Outcome(sent=outcome.sent)
    assert sent(outcome) == [1, 2]
    assert sorted(bodies(aws, queue)) == ["a", "b"]


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, Fault(status=503, code="ServiceUnavailable")])
def test_transient_errors_are_retried(aws: Aws, path: FaultyPath, queue: str, fault: Fault) -> None:
    first(path, "SendMessageBatch", fault, times=3)
    assert sent(send(queue, "a")) == [1]
    assert path.count("SendMessageBatch") == 4
    assert bodies(aws, queue) == ["a"]


@pytest.mark.parametrize("fault", [Fault(lose_answer=True), Fault(cut_answer=True)])
def test_a_lost_response_is_retried_and_counted(aws: Aws, path: FaultyPath, queue: str, fault: Fault) -> None:
    first(path, "SendMessageBatch", fault)
    outcome = send(queue, "a", "b")
    assert outcome == Outcome(sent=outcome.sent, maybe_twice=2)
    assert sent(outcome) == [1, 2]
    assert sorted(bodies(aws, queue)) == ["a", "a", "b", "b"]


def test_a_throttled_call_has_sent_nothing(path: FaultyPath, queue: str) -> None:
    first(path, "SendMessageBatch", THROTTLED)
    assert send(queue, "a").maybe_twice == 0


def test_only_the_failed_entries_of_a_batch_are_retried(aws: Aws, path: FaultyPath, queue: str) -> None:
    """The local AWS has no transient failures of entries: the test edits one into its response."""

    def fail_second(answer: dict[str, Any]) -> dict[str, Any]:
        successes = [each for each in answer["Successful"] if each["Id"] != "1"]
        failure = {"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "later"}
        return {"Successful": successes, "Failed": [failure]}

    first(path, "SendMessageBatch", Fault(edit=fail_second))
    outcome = send(queue, "a", "b", "c")
    assert sorted(outcome.sent) == [1, 2, 3]
    assert len(path.seen[-1][1]["Entries"]) == 1


def test_a_rejected_entry_is_reported_with_its_line_and_reason(aws: Aws, path: FaultyPath, queue: str) -> None:
    def refuse_first(answer: dict[str, Any]) -> dict[str, Any]:
        failure = {"Id": "0", "SenderFault": True, "Code": "InvalidMessageContents", "Message": "no"}
        return {"Successful": answer["Successful"][1:], "Failed": [failure]}

    first(path, "SendMessageBatch", Fault(edit=refuse_first))
    outcome = send(queue, "a", "b")
    assert sent(outcome) == [2]
    assert outcome.refused == [(1, b"a", "no (InvalidMessageContents)")]


def test_an_entry_missing_from_the_response_is_retried(path: FaultyPath, queue: str) -> None:
    first(path, "SendMessageBatch", Fault(edit=lambda answer: {"Successful": answer["Successful"][:1]}))
    assert sorted(send(queue, "a", "b").sent) == [1, 2]


def test_an_entry_that_keeps_failing_is_refused_after_the_retry_timeout(path: FaultyPath, queue: str) -> None:
    failure = {"Id": "0", "SenderFault": False, "Code": "InternalError", "Message": "never"}
    path.plan = lambda action, _: Fault(edit=lambda answer: {"Failed": [failure]})
    outcome = send(queue, "a", retry_timeout=0.3)
    assert outcome.refused == [(1, b"a", "never (InternalError)")]


def test_permanent_errors_are_not_retried(aws: Aws, path: FaultyPath, queue: str) -> None:
    outcome = send(f"{queue}-gone", "a")
    assert isinstance(outcome.error, ClientError)
    assert outcome.sent == {}
    assert path.count("SendMessageBatch") == 1


def test_retries_end_after_the_retry_timeout(path: FaultyPath, queue: str) -> None:
    path.down.set()
    outcome = send(queue, "a", retry_timeout=0.5)
    assert isinstance(outcome.error, ConnectionClosedError)
    assert path.count("SendMessageBatch") > 1


def test_a_retry_timeout_of_0_is_one_attempt(path: FaultyPath, queue: str) -> None:
    path.plan = lambda action, _: THROTTLED
    assert isinstance(send(queue, "a", retry_timeout=0).error, ClientError)
    assert path.count("SendMessageBatch") == 1


def test_a_stop_ends_the_wait_for_the_next_attempt(path: FaultyPath, queue: str) -> None:
    stop = threading.Event()
    path.plan = lambda action, _: stop.set() or BROKEN  # type: ignore[func-returns-value]
    assert isinstance(send(queue, "a", retry_timeout=3600, stop=stop).error, Stopped)

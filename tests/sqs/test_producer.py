"""The producer: what is said to be sent is in the queue, and what is not is told, whatever happens on the way."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from hello_queue.sqs.entries import Entry, MessageFormat
from hello_queue.sqs.producer import Outcome, Producer
from hello_queue.sqs.retries import RetryPolicy, Stopped
from tests.conftest import Aws
from tests.faults import BROKEN, THROTTLED, Fault, FaultyPath
from tests.queues import bodies


def entries(*texts: str) -> list[Entry]:
    return [MessageFormat().entry(line, text.encode()) for line, text in enumerate(texts, 1)]


def send(sqs: Any, url: str, *texts: str, patience: float = 30, stop: threading.Event | None = None) -> Outcome:
    outcome = Outcome()
    Producer(sqs, url, RetryPolicy(patience, stop or threading.Event(), lambda line: None)).send(
        entries(*texts), outcome
    )
    return outcome


def first(path: FaultyPath, action: str, fault: Fault, times: int = 1) -> None:
    """The first calls of an action meet a fault."""
    path.plan = lambda seen, _: fault if seen == action and path.count(action) <= times else None


def test_a_batch_is_sent(aws: Aws, sqs: Any, queue: str) -> None:
    outcome = send(sqs, queue, "a", "b")
    assert outcome == Outcome(sent=[1, 2])
    assert sorted(bodies(aws, queue)) == ["a", "b"]


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, Fault(status=503, code="ServiceUnavailable")])
def test_what_may_pass_is_repeated(aws: Aws, path: FaultyPath, sqs: Any, queue: str, fault: Fault) -> None:
    first(path, "SendMessageBatch", fault, times=3)
    assert send(sqs, queue, "a").sent == [1]
    assert path.count("SendMessageBatch") == 4
    assert bodies(aws, queue) == ["a"]


@pytest.mark.parametrize("fault", [Fault(lose_answer=True), Fault(cut_answer=True)])
def test_a_lost_answer_is_repeated_and_told(aws: Aws, path: FaultyPath, sqs: Any, queue: str, fault: Fault) -> None:
    first(path, "SendMessageBatch", fault)
    outcome = send(sqs, queue, "a", "b")
    assert outcome == Outcome(sent=[1, 2], maybe_twice=2)
    assert sorted(bodies(aws, queue)) == ["a", "a", "b", "b"]


def test_throttling_makes_nothing_uncertain(path: FaultyPath, sqs: Any, queue: str) -> None:
    first(path, "SendMessageBatch", THROTTLED)
    assert send(sqs, queue, "a").maybe_twice == 0


def test_entries_that_fail_are_repeated_or_refused_each_by_itself(
    aws: Aws, path: FaultyPath, sqs: Any, queue: str
) -> None:
    """The real server fails entries for good only; that one failed for now is put into its answer."""

    def fail_second(answer: dict[str, Any]) -> dict[str, Any]:
        successes = [each for each in answer["Successful"] if each["Id"] != "1"]
        failure = {"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "later"}
        return {"Successful": successes, "Failed": [failure]}

    first(path, "SendMessageBatch", Fault(edit=fail_second))
    outcome = send(sqs, queue, "a", "b", "c")
    assert sorted(outcome.sent) == [1, 2, 3]
    assert len(path.seen[-1][1]["Entries"]) == 1


def test_what_sqs_never_takes_is_refused_with_its_line_and_reason(
    aws: Aws, path: FaultyPath, sqs: Any, queue: str
) -> None:
    def refuse_first(answer: dict[str, Any]) -> dict[str, Any]:
        failure = {"Id": "0", "SenderFault": True, "Code": "InvalidMessageContents", "Message": "no"}
        return {"Successful": answer["Successful"][1:], "Failed": [failure]}

    first(path, "SendMessageBatch", Fault(edit=refuse_first))
    outcome = send(sqs, queue, "a", "b")
    assert outcome == Outcome(sent=[2], refused=[(1, b"a", "no (InvalidMessageContents)")])


def test_an_entry_that_is_not_answered_for_is_repeated(path: FaultyPath, sqs: Any, queue: str) -> None:
    first(path, "SendMessageBatch", Fault(edit=lambda answer: {"Successful": answer["Successful"][:1]}))
    assert sorted(send(sqs, queue, "a", "b").sent) == [1, 2]


def test_an_entry_that_always_fails_is_given_up(path: FaultyPath, sqs: Any, queue: str) -> None:
    failure = {"Id": "0", "SenderFault": False, "Code": "InternalError", "Message": "never"}
    path.plan = lambda action, _: Fault(edit=lambda answer: {"Failed": [failure]})
    outcome = send(sqs, queue, "a", patience=0.3)
    assert outcome.refused == [(1, b"a", "never (InternalError)")]


def test_what_cannot_pass_is_not_repeated(aws: Aws, path: FaultyPath, sqs: Any, queue: str) -> None:
    outcome = send(sqs, f"{queue}-gone", "a")
    assert isinstance(outcome.error, ClientError)
    assert outcome.sent == []
    assert path.count("SendMessageBatch") == 1


def test_patience_ends(path: FaultyPath, sqs: Any, queue: str) -> None:
    path.down.set()
    outcome = send(sqs, queue, "a", patience=0.5)
    assert isinstance(outcome.error, ConnectionClosedError)
    assert path.count("SendMessageBatch") > 1


def test_no_patience_is_one_attempt(path: FaultyPath, sqs: Any, queue: str) -> None:
    path.plan = lambda action, _: THROTTLED
    assert isinstance(send(sqs, queue, "a", patience=0).error, ClientError)
    assert path.count("SendMessageBatch") == 1


def test_a_stop_ends_the_waiting_for_another_attempt(path: FaultyPath, sqs: Any, queue: str) -> None:
    stop = threading.Event()
    path.plan = lambda action, _: stop.set() or BROKEN  # type: ignore[func-returns-value]
    assert isinstance(send(sqs, queue, "a", patience=3600, stop=stop).error, Stopped)

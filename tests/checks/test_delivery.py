"""The delivery check: the test message goes through the queue, and other messages are left alone."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hello_queue.checks.delivery import delivery_checks
from hello_queue.checks.model import Check
from hello_queue.checks.waiting import Waiting
from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.queues import fill, redrive_policy

MAX_RECEIVE_COUNT = 3
COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)

Pair = tuple[str, str]
"""The URLs of a queue and its dead-letter queue."""


@pytest.fixture
def make_pair(aws: Aws) -> Iterator[Callable[..., Pair]]:
    sqs = aws.client("sqs")
    urls: list[str] = []

    def make(suffix: str = "", **attributes: str) -> Pair:
        name = f"t-{time.time_ns()}"
        fifo = {"FifoQueue": "true"} if suffix else {}
        dead = sqs.create_queue(QueueName=f"{name}-dlq{suffix}", Attributes=fifo)["QueueUrl"]
        attributes = {"RedrivePolicy": redrive_policy(aws, dead, MAX_RECEIVE_COUNT), **fifo, **attributes}
        url = sqs.create_queue(QueueName=f"{name}{suffix}", Attributes=attributes)["QueueUrl"]
        urls.extend((url, dead))
        return url, dead

    yield make
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def pair(make_pair: Callable[..., Pair]) -> Pair:
    return make_pair()


def ignore(line: str) -> None:
    pass


def deliver(aws: Aws, url: str, **changes: Any) -> list[Check]:
    parameters: dict[str, Any] = {"delay": 0, "max_receive_count": MAX_RECEIVE_COUNT, "timeout": 10}
    parameters |= {"longest_delay": 60, "report": ignore, "waiting": Waiting(0, ignore)}
    return list(delivery_checks(aws.client("sqs"), url, **{**parameters, **changes}))


def counts(aws: Aws, url: str) -> list[int]:
    """The numbers of visible, in-flight and delayed messages."""
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))["Attributes"]
    return [int(found[name]) for name in COUNTS]


def receive_counts(aws: Aws, url: str) -> dict[str, int]:
    """Receive all visible messages once. Returns the receive count of each body."""
    sqs = aws.client("sqs")
    found: dict[str, int] = {}
    while received := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["ApproximateReceiveCount"]
    ).get("Messages"):
        found |= {each["Body"]: int(each["Attributes"]["ApproximateReceiveCount"]) for each in received}
    return found


def test_a_hundred_runs_move_no_message_to_the_dead_letter_queue(aws: Aws, pair: Pair) -> None:
    url, dead = pair
    bodies = [f"order {number}" for number in range(9)]
    fill(aws, url, *bodies)
    for _ in range(100):
        (check,) = deliver(aws, url)
        assert check.passed is None
        assert "the queue has messages (9 visible)" in check.found
    assert counts(aws, dead) == [0, 0, 0]
    assert counts(aws, url) == [9, 0, 0], "the test message was never sent"
    assert receive_counts(aws, url) == dict.fromkeys(bodies, 1), "only this test received them"


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_an_empty_queue_delivers_and_stays_empty(aws: Aws, make_pair: Callable[..., Pair], suffix: str) -> None:
    url, dead = make_pair(suffix, DelaySeconds="1")
    lines: list[str] = []
    checks = deliver(aws, url, delay=1, report=lines.append)
    assert [check.passed for check in checks] == [True] * 3
    assert checks[0].found.startswith("delivered after 1.")
    assert checks[1].found.endswith(", smoke_test.py")
    assert lines == ["sent a message, waiting for it (at least 1 s)"]
    assert counts(aws, url) == counts(aws, dead) == [0, 0, 0]


def test_a_delivery_before_the_delay_fails_and_the_queue_is_restored(aws: Aws, pair: Pair) -> None:
    url, _ = pair
    early, *others = deliver(aws, url, delay=5, redeploy="npx cdk deploy --revert-drift")
    assert (early.passed, early.fix) == (False, "npx cdk deploy --revert-drift")
    assert [(each.passed, each.fix) for each in others] == [(True, "")] * 2
    assert counts(aws, url) == [0, 0, 0]


@pytest.mark.parametrize("suffix", ["", ".fifo"])
@pytest.mark.parametrize("state", ["in flight", "delayed"])
def test_messages_that_are_not_visible_count_too(
    aws: Aws, make_pair: Callable[..., Pair], suffix: str, state: str
) -> None:
    sqs = aws.client("sqs")
    url, _ = make_pair(suffix, DelaySeconds="900" if state == "delayed" else "0")
    fifo = {"MessageGroupId": "g", "MessageDeduplicationId": "1"} if suffix else {}
    sqs.send_message(QueueUrl=url, MessageBody="order", **fifo)
    if state == "in flight":
        sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)
    before = counts(aws, url)
    (check,) = deliver(aws, url)
    assert check.passed is None
    assert f"(1 {state})" in check.found
    assert counts(aws, url) == before


def test_messages_sent_meanwhile_are_received_once_and_visible_again(aws: Aws, make_pair: Callable[..., Pair]) -> None:
    url, dead = make_pair(DelaySeconds="1", VisibilityTimeout="600")
    bodies = [f"order {number}" for number in range(12)]
    sqs = aws.client("sqs")

    def send_others(line: str) -> None:
        for body in bodies:
            sqs.send_message(QueueUrl=url, MessageBody=body, DelaySeconds=0)

    first, *others = deliver(aws, url, delay=1, report=send_others)
    assert all(check.passed for check in (first, *others))
    assert re.search(r"; received \d+ of others once, which are visible again$", first.found)
    assert counts(aws, url) == [12, 0, 0]
    assert max(receive_counts(aws, url).values()) == 2, "once by the check, once by this test"
    assert counts(aws, dead) == [0, 0, 0]


def test_nothing_is_sent_where_one_receive_is_too_many(aws: Aws, pair: Pair) -> None:
    (check,) = deliver(aws, pair[0], max_receive_count=1)
    assert check.passed is None
    assert "maxReceiveCount is 1" in check.found
    assert counts(aws, pair[0]) == [0, 0, 0]


def test_nothing_is_sent_to_a_queue_with_a_long_delay(aws: Aws, pair: Pair) -> None:
    assert [check.passed for check in deliver(aws, pair[0], delay=61)] == [None]
    assert counts(aws, pair[0]) == [0, 0, 0]
    assert [check.passed for check in deliver(aws, pair[0], delay=0, longest_delay=0)] == [True] * 3


def test_a_message_that_does_not_come_fails_and_is_named(aws: Aws, make_pair: Callable[..., Pair]) -> None:
    url, _ = make_pair(DelaySeconds="900")
    (check,) = deliver(aws, url, timeout=1)
    assert check.passed is False
    assert re.search(r"not received within [12] s.* message [0-9a-f-]{36} may still be in the queue", check.found)


def test_an_interrupted_run_names_the_message_that_it_leaves(aws: Aws, deployed_queue: str) -> None:
    with subprocess.Popen(
        [sys.executable, "scripts/smoke_test.py"],
        cwd=ROOT,
        env=aws.instance.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert "sent a message" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search("^message [0-9a-f-]{36} may still be in the queue, with the author smoke_test.py$", stderr, re.M)
    aws.client("sqs").purge_queue(QueueUrl=deployed_queue)

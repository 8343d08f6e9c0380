"""Send a message through the queue, and receive and delete it again, if no other messages are in the queue.

Every receive of a message counts toward the queue's maxReceiveCount, and SQS cannot receive one particular message.
A check that receives other people's messages therefore moves them to the dead-letter queue if it runs often enough. So
this check does nothing in a queue that has messages, whether visible, in flight or delayed. Messages that others send
while the check runs are received once at most: they stay in flight until the check ends (in a FIFO queue, their message
groups wait for that long), become visible again then, and keep the next run from receiving at all. With a
maxReceiveCount of 1 even that would be too much, and nothing is sent.

SQS's counts are approximate. They are consistent within a minute:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
"""

from __future__ import annotations

import functools
import math
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hello_queue.aws.clients import LONG_POLL_SECONDS
from hello_queue.checks.model import Check, check, skipped
from hello_queue.checks.waiting import Waiting
from hello_queue.sqs.handlers import from_receive
from hello_queue.sqs.messages import message
from hello_queue.sqs.queues import attributes, give_back, is_fifo

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef, ReceiveMessageResultTypeDef

AUTHOR = "smoke_test.py"
"""The message attribute Author of the test message, by which a consumer can recognize it."""

_COUNTS = {
    "ApproximateNumberOfMessages": "visible",
    "ApproximateNumberOfMessagesNotVisible": "in flight",
    "ApproximateNumberOfMessagesDelayed": "delayed",
}


def delivery_checks(
    sqs: SQSClient,
    url: str,
    *,
    delay: int,
    max_receive_count: int,
    timeout: int,
    longest_delay: int,
    report: Callable[[str], None],
    waiting: Waiting,
    has_workers: bool = False,
    redeploy: str = "",
) -> Iterator[Check]:
    """Send a message, check that it is delivered after the delay and with its content, and delete it.

    Args:
        sqs: a client with the credentials of the queue's user.
        url: the queue's URL.
        delay: the queue's DelaySeconds.
        max_receive_count: the queue's maxReceiveCount.
        timeout: how many seconds after the delay to wait for the message.
        longest_delay: skip the check if the delay is longer, in seconds.
        report: called with a line about what is going on.
        waiting: repeats calls that are refused because the deployment is recent.
        has_workers: whether workers on AWS Lambda receive the queue's messages.
        redeploy: the command that restores the queue's settings, for a message that is delivered too early.
    """
    name, expected = "delivery of a message", f"delivered after {delay} s"
    reason: str | None = "the workers on AWS Lambda would receive the test message, and pass it to their handler"
    if not has_workers:
        reason = waiting.call(lambda: _reason_to_skip(sqs, url, delay, max_receive_count, longest_delay))
    if reason:
        yield skipped(name, expected, reason)
        return
    body = f"smoke test {uuid.uuid4()}"
    # The same parameters as send.py's, which is what this check is about.
    group, deduplication_id = (AUTHOR, str(uuid.uuid4())) if is_fifo(url) else (None, None)
    parameters = message(body, AUTHOR, group=group, deduplication_id=deduplication_id)
    sent_at = 0.0

    def send() -> str:
        nonlocal sent_at
        sent_at = time.monotonic()
        return sqs.send_message(QueueUrl=url, **parameters)["MessageId"]

    message_id = waiting.call(send)
    left_behind = f"message {message_id} may still be in the queue, with the author {AUTHOR}"
    try:
        report(f"sent a message, waiting for it (at least {delay} s)")
        received, others = _receive(sqs, url, message_id, until=sent_at + delay + timeout, waiting=waiting)
    except BaseException:
        report(left_behind)
        raise
    elapsed = time.monotonic() - sent_at
    beside = f"; received {others} of others once, which are visible again" if others else ""
    if received is None:
        found = f"not received within {elapsed:.0f} s{beside}. Did a consumer receive it? {left_behind}"
        yield Check(name, expected, found, False)
        return
    early = elapsed < delay
    yield Check(name, expected, f"delivered after {elapsed:.2f} s{beside}", not early, fix=redeploy if early else "")
    content = [received["Body"], from_receive(received).author]
    yield check("its body and author", [body, AUTHOR], lambda: content)
    deletion = check("its deletion", "deleted", lambda: waiting.call(lambda: _delete(sqs, url, received)))
    if not deletion.passed:
        report(left_behind)
    yield deletion


def _reason_to_skip(sqs: SQSClient, url: str, delay: int, max_receive_count: int, longest_delay: int) -> str | None:
    if delay > longest_delay:
        return f"the delay is longer than {longest_delay} s (--longest-delay)"
    if max_receive_count == 1:
        return "maxReceiveCount is 1: a message that somebody else sends meanwhile would lose its only receive"
    found = attributes(sqs, url)
    counts = [f"{int(found[name]):,} {words}" for name, words in _COUNTS.items() if int(found[name])]
    if counts:
        return f"the queue has messages ({', '.join(counts)}), and receiving them counts toward maxReceiveCount"
    return None


def _receive(
    sqs: SQSClient, url: str, message_id: str, *, until: float, waiting: Waiting
) -> tuple[MessageTypeDef | None, int]:
    """Receive until the message with this id comes, and make all others visible again.

    Returns:
        The message, or None; and how many others were received.
    """
    others: list[str] = []
    waited = waiting.waited  # refused calls take nothing from the time for the message
    try:
        while (remaining := math.ceil(until + waiting.waited - waited - time.monotonic())) > 0:
            received = waiting.call(functools.partial(_receive_once, sqs, url, remaining)).get("Messages", [])
            ours = [each for each in received if each["MessageId"] == message_id]
            others += [each["ReceiptHandle"] for each in received if each["MessageId"] != message_id]
            if ours:
                return ours[0], len(others)
        return None, len(others)
    finally:
        give_back(sqs, url, others)


def _receive_once(sqs: SQSClient, url: str, remaining: int) -> ReceiveMessageResultTypeDef:
    return sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=min(LONG_POLL_SECONDS, remaining),
        # Longer than `_receive` can take, so that no message is received twice.
        VisibilityTimeout=remaining + LONG_POLL_SECONDS,
        MessageAttributeNames=["All"],
    )


def _delete(sqs: SQSClient, url: str, received: MessageTypeDef) -> str:
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
    return "deleted"

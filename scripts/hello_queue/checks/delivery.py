"""Does a message go through the queue as it should? Sends one, and takes it out again.

The queue may be in use. Messages that are not ours are never deleted: they are held back while ours is looked for,
so that each is received once at the most, and then given back at once. That one receive counts towards their max
receive count; SQS has no way to look without counting.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

from hello_queue.aws.clients import LONG_POLL_SECONDS
from hello_queue.checks.model import Check, check
from hello_queue.sqs.handlers import from_receive
from hello_queue.sqs.messages import message
from hello_queue.sqs.queues import attributes, give_back, is_fifo

AUTHOR = "smoke_test.py"


def delivery_checks(
    sqs: Any, url: str, *, delay: int, max_receive_count: int, patience: int, longest_delay: int
) -> Iterator[Check]:
    """Send a message, see that it comes not before the delay and within ``patience`` seconds after it, delete it.

    Args:
        sqs: a client as whoever is to use the queue; each of the calls that the scripts make is made.
        delay: the queue's DelaySeconds.
        max_receive_count: the queue's; where it is 1, looking at a message of others would be its last receive.
        patience: how many seconds after the delay to look for the message.
        longest_delay: a queue with a longer delay is not waited for.
    """
    if delay > longest_delay:
        yield Check("a message", f"delivered after {delay} s", f"skipped: longer than {longest_delay} s", None)
        return
    if max_receive_count == 1 and int(attributes(sqs, url)["ApproximateNumberOfMessages"]):
        reason = "skipped: the queue has messages, and looking at one would cost it its only receive"
        yield Check("a message", f"delivered after {delay} s", reason, None)
        return
    body = f"smoke test {uuid.uuid4()}"
    sent_at = time.monotonic()
    # Not sqs.send_message alone: what send.py sends is what is to be proven.
    group, deduplication_id = (AUTHOR, str(uuid.uuid4())) if is_fifo(url) else (None, None)
    sqs.send_message(QueueUrl=url, **message(body, AUTHOR, group=group, deduplication_id=deduplication_id))
    print(f"sent a message, waiting for it ({delay} s and a little)", file=sys.stderr)
    received = _find(sqs, url, body, until=sent_at + delay + patience, hold=delay + patience)
    elapsed = time.monotonic() - sent_at
    if received is None:
        hint = f"not seen for {elapsed:.0f} s. Did another consumer take it, or is the queue too full to find it?"
        yield Check("a message", f"delivered after {delay} s", hint, False)
        return
    yield Check("a message", f"delivered after {delay} s", f"delivered after {elapsed:.2f} s", elapsed >= delay)
    yield check("its body and author", [body, AUTHOR], lambda: [received["Body"], from_receive(received).author])
    yield check("its deletion", "deleted", lambda: _delete(sqs, url, received))


def _find(sqs: Any, url: str, body: str, *, until: float, hold: int) -> dict[str, Any] | None:
    """Receive until our message comes, and give back all others."""
    others: list[str] = []
    try:
        while (remaining := until - time.monotonic()) > 0:
            received = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=min(LONG_POLL_SECONDS, max(1, round(remaining))),
                VisibilityTimeout=hold + LONG_POLL_SECONDS,
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            ours = [each for each in received if each["Body"] == body]
            others += [each["ReceiptHandle"] for each in received if each["Body"] != body]
            if ours:
                found: dict[str, Any] = ours[0]
                return found
        return None
    finally:
        give_back(sqs, url, others)


def _delete(sqs: Any, url: str, received: dict[str, Any]) -> str:
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
    return "deleted"

"""Queues, as SQS knows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hello_queue.errors import HelloQueueError

MAX_BATCH_ENTRIES = 10
"""The most entries of a batch call, and the most messages of a receive."""


def is_fifo(url: str) -> bool:
    """Whether a URL, a name or an ARN is that of a FIFO queue."""
    return url.endswith(".fifo")


def attributes(sqs: Any, url: str) -> dict[str, str]:
    found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found


def dead_letter_queue(sqs: Any, url: str) -> str:
    """The URL of a queue's dead-letter queue.

    Raises:
        HelloQueueError: it has none.
    """
    policy = json.loads(attributes(sqs, url).get("RedrivePolicy", "{}"))
    if "deadLetterTargetArn" not in policy:
        raise HelloQueueError(f"{url} has no dead-letter queue: is it one itself? Name the queue that it belongs to")
    *_, account, name = policy["deadLetterTargetArn"].split(":")
    return str(sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"])


def give_back(sqs: Any, url: str, receipt_handles: Sequence[str]) -> None:
    """Have received messages visible again at once."""
    for start in range(0, len(receipt_handles), MAX_BATCH_ENTRIES):
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
            for number, handle in enumerate(receipt_handles[start : start + MAX_BATCH_ENTRIES])
        ]
        sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)

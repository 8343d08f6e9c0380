"""SQS queues: their limits, attributes, and dead-letter queues."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hello_queue.errors import HelloQueueError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import ChangeMessageVisibilityBatchRequestEntryTypeDef

MAX_BATCH_ENTRIES = 10
"""The maximum number of entries of a batch call, and of messages of a ReceiveMessage call:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""


def is_fifo(url: str) -> bool:
    """Whether a URL, a name, or an ARN is that of a FIFO queue."""
    return url.endswith(".fifo")


def attributes(sqs: SQSClient, url: str) -> dict[str, str]:
    """All attributes of a queue, as SQS returns them."""
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {str(name): value for name, value in found.items()}


def dead_letter_queue(sqs: SQSClient, url: str) -> str:
    """The URL of a queue's dead-letter queue.

    Raises:
        HelloQueueError: the queue has no dead-letter queue.
    """
    account, name = dead_letter_name(attributes(sqs, url), url)
    return str(sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"])


def dead_letter_name(found: Mapping[str, str], url: str) -> tuple[str, str]:
    """The account and the name of a queue's dead-letter queue.

    Args:
        found: the queue's attributes.

    Raises:
        HelloQueueError: the queue has no dead-letter queue.
    """
    policy = redrive_policy(found)
    if "deadLetterTargetArn" not in policy:
        raise HelloQueueError(
            f"{url} has no dead-letter queue. If it is one itself, name the queue that it belongs to: --queue NAME"
        )
    *_, account, name = policy["deadLetterTargetArn"].split(":")
    return account, name


def redrive_policy(found: Mapping[str, str]) -> dict[str, Any]:
    """When the messages of a queue with these attributes become dead letters, and where; empty: never."""
    policy: dict[str, Any] = json.loads(found.get("RedrivePolicy", "{}"))
    return policy


def give_back(sqs: SQSClient, url: str, receipt_handles: Sequence[str]) -> None:
    """Return received messages to the queue: they are visible again at once."""
    for entries in unhiding(receipt_handles):
        sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def unhiding(receipt_handles: Sequence[str]) -> Iterator[list[ChangeMessageVisibilityBatchRequestEntryTypeDef]]:
    """The entries of the ChangeMessageVisibilityBatch calls that make received messages visible again."""
    for start in range(0, len(receipt_handles), MAX_BATCH_ENTRIES):
        yield [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
            for number, handle in enumerate(receipt_handles[start : start + MAX_BATCH_ENTRIES])
        ]

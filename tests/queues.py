"""Helpers for queues."""

from __future__ import annotations

import json

from tests.conftest import Aws


def fill(aws: Aws, url: str, *texts: str) -> None:
    """Send messages with these bodies."""
    sqs = aws.client("sqs")
    for start in range(0, len(texts), 10):
        batch = enumerate(texts[start : start + 10])
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": text} for i, text in batch])


def bodies(aws: Aws, url: str) -> list[str]:
    """Receive and delete all visible messages, and return their bodies."""
    sqs = aws.client("sqs")
    found = []
    while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in received]
        handles = enumerate(message["ReceiptHandle"] for message in received)
        entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in handles]
        assert not sqs.delete_message_batch(QueueUrl=url, Entries=entries).get("Failed")
    return found


def redrive_policy(aws: Aws, dead_letter_url: str, max_receive_count: int) -> str:
    """The RedrivePolicy of a queue with this dead-letter queue."""
    found = aws.client("sqs").get_queue_attributes(QueueUrl=dead_letter_url, AttributeNames=["QueueArn"])
    return json.dumps({"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": max_receive_count})

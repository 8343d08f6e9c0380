"""A message in a dead-letter queue, and how it is sent again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hello_queue.sqs.batches import Entry
from hello_queue.sqs.handlers import Message
from hello_queue.sqs.leases import Lease
from hello_queue.sqs.messages import size_of


@dataclass(frozen=True)
class DeadLetter:
    """A message received from the dead-letter queue.

    Attributes:
        message: its content.
        received: the entry of ReceiveMessage's response.
        until: when it may become visible to other consumers (the event loop's clock, seconds).
    """

    message: Message
    received: dict[str, Any]
    until: float

    @property
    def age_seconds(self) -> float | None:
        return None if self.message.sent_at is None else max(0.0, time.time() - self.message.sent_at)

    @property
    def lease(self) -> Lease:
        return Lease(self.message, self.received["ReceiptHandle"], self.until)

    @property
    def source_arn(self) -> str | None:
        """The queue from which SQS moved it here; None: it was sent to the dead-letter queue directly."""
        arn: str | None = self.received.get("Attributes", {}).get("DeadLetterQueueSourceArn")
        return arn


def other_sources(letters: Iterable[DeadLetter], target_arn: str) -> set[str]:
    """The queues, other than this one, that messages came from. Queues can share a dead-letter queue: then messages can
    be moved to a queue in which they never were."""
    return {each.source_arn for each in letters if each.source_arn not in (None, target_arn)}


def unchanged(dead_letter: DeadLetter, *, fifo: bool) -> Entry:
    """The message as it was first sent. In a FIFO queue its deduplication id is the same at each attempt to move it,
    and differs from the one that it was sent with, which SQS may remember."""
    received = dead_letter.received
    parameters: dict[str, Any] = {"MessageBody": received["Body"]}
    if received.get("MessageAttributes"):
        parameters["MessageAttributes"] = received["MessageAttributes"]
    if dead_letter.message.group is not None:
        parameters["MessageGroupId"] = dead_letter.message.group
    if fifo:
        parameters["MessageDeduplicationId"] = f"redrive-{dead_letter.message.id}"
    return Entry(0, b"", parameters, size_of(parameters))

"""Messages to send, and the batches that SendMessageBatch takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hello_queue.sqs.queues import MAX_BATCH_ENTRIES

MAX_BATCH_BYTES = 1_048_576
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""


@dataclass(slots=True)
class Entry:
    """A message to send.

    Attributes:
        line: the number of its input line, from 1.
        raw: the input line, unchanged.
        parameters: what `hello_queue.sqs.messages.message` returns: the parameters of a SendMessageBatch entry.
        size: its size in bytes, as SQS counts them.
    """

    line: int
    raw: bytes
    parameters: dict[str, Any]
    size: int


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Group entries, in order, into batches within the limits of SendMessageBatch."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        if len(batch) == MAX_BATCH_ENTRIES or (batch and size + entry.size > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch

"""Messages on their way into batches: what a line says, what it weighs, and how many go together."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hello_queue.sqs.messages import InvalidMessage, message, size_of
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES

MAX_BATCH_BYTES = 1_048_576
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""
DEFAULT_GROUP = "default"

_KEYS = ("body", "author", "attributes", "delay", "group", "deduplication_id")


@dataclass(slots=True)
class Entry:
    """One message: where it came from, and the parameters that SendMessageBatch takes for it.

    Attributes:
        line: its number in the input, from 1.
        raw: the line as it was read, for a file of what failed.
        parameters: what `hello_queue.sqs.messages.message` made of it.
        size: its bytes as SQS counts them.
    """

    line: int
    raw: bytes
    parameters: dict[str, Any]
    size: int


@dataclass(frozen=True)
class MessageFormat:
    """How lines become messages.

    Attributes:
        json_lines: each line is a JSON object with ``body`` and, each if wanted, ``author``, ``attributes`` (text,
        number,
            or ``{"base64": "…"}``), ``delay``, ``group`` and ``deduplication_id``; otherwise it is the body as it is.
        author, delay, group: for messages that do not say their own.
        fifo: a FIFO queue is meant: each message gets a group.
        deduplication: SQS does not make a deduplication id of the content: each message gets one.
    """

    json_lines: bool = False
    author: str | None = None
    delay: int | None = None
    group: str | None = None
    fifo: bool = False
    deduplication: bool = False

    def entry(self, line: int, raw: bytes) -> Entry:
        """What a line says.

        Raises:
            InvalidMessage: it cannot be read, or SQS would refuse the message.
        """
        parameters = self.parameters(**(_parsed(raw) if self.json_lines else {"body": _decoded(raw)}))
        return Entry(line, raw, parameters, size_of(parameters))

    def parameters(self, body: str, **said: Any) -> dict[str, Any]:
        """The parameters of the message with this body, and with what else it says itself."""
        parameters = message(body, **{"author": self.author, "delay": self.delay, "group": self.group, **said})
        if self.fifo:
            parameters.setdefault("MessageGroupId", DEFAULT_GROUP)
        if self.deduplication and "MessageDeduplicationId" not in parameters:
            parameters["MessageDeduplicationId"] = str(uuid.uuid4())
        return parameters


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Put entries together to batches that SendMessageBatch takes, in their order."""
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


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(_decoded(raw))
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"it is no JSON: {error}") from None
    if not isinstance(content, dict) or "body" not in content:
        raise InvalidMessage('it is no JSON object with a "body"')
    unknown = sorted(content.keys() - set(_KEYS))
    if unknown:
        raise InvalidMessage(f"it has {unknown[0]!r}, which is none of {', '.join(_KEYS)}")
    attributes = content.pop("attributes", None) or {}
    if not isinstance(attributes, dict):
        raise InvalidMessage("its attributes are no JSON object")
    said = {name: value for name, value in content.items() if value is not None or name == "body"}
    return {**said, "attributes": {name: _attribute(value) for name, value in attributes.items()}}


def _attribute(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value.keys() != {"base64"}:
        raise InvalidMessage(f'the attribute {str(value)[:60]} is not one: text, a number, or {{"base64": "…"}}')
    try:
        return base64.b64decode(value["base64"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise InvalidMessage(f"an attribute's base64 is wrong: {error}") from None


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidMessage(f"it is not UTF-8: {error.reason} at byte {error.start}") from None

"""What a message may be, and how it reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hello_queue.errors import UsageError

MAX_MESSAGE_BYTES = 1_048_576
"""Body and attributes together:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
MAX_DELAY_SECONDS = 900
_MAX_ATTRIBUTES = 10
_MAX_ATTRIBUTE_NAME = 256
_MAX_ID = 128

_NOT_ALLOWED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What SQS refuses in text:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""
_ID = re.compile(r"[!-~]+")
_ATTRIBUTE_NAME = re.compile(r"(?!(?i:aws|amazon)\.)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class InvalidMessage(UsageError):
    """SQS would refuse this message. The error names the value and the limit."""


def message(
    body: str,
    author: str | None = None,
    *,
    attributes: Mapping[str, str | int | float | bytes] | None = None,
    delay: int | None = None,
    group: str | None = None,
    deduplication_id: str | None = None,
) -> dict[str, Any]:
    """The parameters of SendMessage, which are those of an entry of SendMessageBatch too.

    Args:
        body: the text.
        author: the message attribute ``Author``.
        attributes: message attributes; text becomes a String, a number a Number, bytes a Binary.
        delay: DelaySeconds, 0 to 900; not for FIFO queues.
        group: MessageGroupId.
        deduplication_id: MessageDeduplicationId.

    Raises:
        InvalidMessage: SQS would refuse it.
    """
    parameters: dict[str, Any] = {"MessageBody": _checked("the message", body)}
    given = {**(attributes or {}), **({"Author": author} if author is not None else {})}
    if len(given) > _MAX_ATTRIBUTES:
        raise InvalidMessage(f"the message has {len(given)} attributes; SQS takes {_MAX_ATTRIBUTES}")
    if given:
        parameters["MessageAttributes"] = {name: _attribute(name, value) for name, value in given.items()}
    if delay is not None:
        if type(delay) is not int or not 0 <= delay <= MAX_DELAY_SECONDS:
            raise InvalidMessage(f"the delay {delay!r} is not a whole number of seconds from 0 to {MAX_DELAY_SECONDS}")
        parameters["DelaySeconds"] = delay
    if group is not None:
        parameters["MessageGroupId"] = _checked_id("the group", group)
    if deduplication_id is not None:
        parameters["MessageDeduplicationId"] = _checked_id("the deduplication id", deduplication_id)
    size_of(parameters)
    return parameters


def size_of(parameters: Mapping[str, Any]) -> int:
    """The bytes that SQS counts: the body, and each attribute's name, type and value.

    Raises:
        InvalidMessage: they are more than SQS takes.
    """
    size = len(parameters["MessageBody"].encode())
    for name, attribute in parameters.get("MessageAttributes", {}).items():
        value = attribute["StringValue"].encode() if "StringValue" in attribute else attribute["BinaryValue"]
        size += len(name.encode()) + len(attribute["DataType"]) + len(value)
    if size > MAX_MESSAGE_BYTES:
        raise InvalidMessage(
            f"the message has {size:,} bytes with its attributes; SQS takes {MAX_MESSAGE_BYTES:,}: "
            "shorten it, or send where it is kept"
        )
    return size


def _attribute(name: str, value: str | int | float | bytes) -> dict[str, Any]:
    if len(name) > _MAX_ATTRIBUTE_NAME or not _ATTRIBUTE_NAME.fullmatch(name):
        raise InvalidMessage(
            f"the attribute name {name[:60]!r} is not one: up to {_MAX_ATTRIBUTE_NAME} of letters, digits and _-. "
            "and not beginning with AWS. or Amazon."
        )
    what = "the author" if name == "Author" else f"the attribute {name}"
    if isinstance(value, bytes):
        if not value:
            raise InvalidMessage(f"{what} is empty: SQS takes at least one byte")
        return {"DataType": "Binary", "BinaryValue": value}
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": _checked(what, value)}
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidMessage(f"{what} is {value!r}: it takes text, a number or bytes")
    return {"DataType": "Number", "StringValue": str(value)}


def _checked(what: str, text: str) -> str:
    if not isinstance(text, str):
        raise InvalidMessage(f"{what} is {str(text)[:60]!r}: it takes text")
    if not text:
        raise InvalidMessage(f"{what} is empty: SQS takes at least one character")
    refused = None if text.isprintable() else _NOT_ALLOWED.search(text)  # the quick look is enough for most
    if refused:
        character = f"{refused.group()!r} at position {refused.start()}"
        raise InvalidMessage(f"{what} has the character {character}, which SQS does not take")
    return text


def _checked_id(what: str, text: str) -> str:
    if not isinstance(text, str) or len(text) > _MAX_ID or not _ID.fullmatch(text):
        raise InvalidMessage(
            f"{what} {str(text)[:60]!r} is not one: 1 to {_MAX_ID} of ASCII letters, digits and punctuation"
        )
    return text

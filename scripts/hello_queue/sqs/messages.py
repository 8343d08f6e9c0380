"""The limits of a message, checked before it is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hello_queue.errors import UsageError

MAX_MESSAGE_BYTES = 1_048_576
"""Body and attributes together:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
MAX_DELAY_SECONDS = 900
AUTHOR = "Author"
"""The message attribute that the scripts set and print."""
_MAX_ATTRIBUTES = 10
_MAX_ATTRIBUTE_NAME = 256
_MAX_ID = 128
_SMALLEST_NUMBER, _LARGEST_NUMBER = 1e-128, 10**126
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html"""

# These patterns are compiled when they are first needed: to compile them takes 2% of a script's start.
_INVALID_CHARACTER = "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
"""What SQS rejects in text:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""
_INVALID_ASCII = bytes(set(range(32)) - {*b"\t\n\r"})
_ID = r"[!-~]+"
_DATA_TYPE = r"(?:String|Number|Binary)(?:\.[A-Za-z0-9_.-]+)?"
_MAX_DATA_TYPE = 256
_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?"
_ATTRIBUTE_NAME = r"(?!(?i:aws|amazon)\.)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"


class InvalidMessage(UsageError):
    """SQS would reject this message. The error names the value and the limit."""


@dataclass(frozen=True)
class TypedValue:
    """A message attribute with its data type, where str, number and bytes cannot express it.

    Attributes:
        data_type: String, Number or Binary, with or without a custom ending, as in ``Number.EUR``.
        value: text for String and Number, bytes for Binary.
    """

    data_type: str
    value: str | bytes


AttributeValue = str | int | float | bytes | TypedValue


def message(
    body: str,
    author: str | None = None,
    *,
    attributes: Mapping[str, AttributeValue] | None = None,
    delay: int | None = None,
    group: str | None = None,
    deduplication_id: str | None = None,
) -> dict[str, Any]:
    """The parameters of SendMessage, which are also those of an entry of SendMessageBatch.

    Args:
        body: the message body.
        author: the message attribute ``Author``.
        attributes: message attributes: a str becomes a String, a number a Number, bytes become a Binary, and a
            `TypedValue` what it says.
        delay: DelaySeconds, 0 to 900. Not for FIFO queues.
        group: MessageGroupId.
        deduplication_id: MessageDeduplicationId.

    Raises:
        InvalidMessage: SQS would reject the message.
    """
    parameters: dict[str, Any] = {"MessageBody": checked_text("the message", body)}
    all_attributes = dict(attributes or {})
    if author is not None:
        if AUTHOR in all_attributes:
            raise InvalidMessage(f"both an author and an attribute {AUTHOR}: set one of them")
        all_attributes[AUTHOR] = checked_text("the author", author)
    if len(all_attributes) > _MAX_ATTRIBUTES:
        raise InvalidMessage(f"the message has {len(all_attributes)} attributes; the limit is {_MAX_ATTRIBUTES}")
    if all_attributes:
        parameters["MessageAttributes"] = {name: _attribute(name, value) for name, value in all_attributes.items()}
    if delay is not None:
        if type(delay) is not int or not 0 <= delay <= MAX_DELAY_SECONDS:
            raise InvalidMessage(f"the delay {delay!r} is not a whole number of seconds from 0 to {MAX_DELAY_SECONDS}")
        parameters["DelaySeconds"] = delay
    if group is not None:
        parameters["MessageGroupId"] = _checked_id("the group", group)
    if deduplication_id is not None:
        parameters["MessageDeduplicationId"] = _checked_id("the deduplication ID", deduplication_id)
    size_of(parameters)
    return parameters


def size_of(parameters: Mapping[str, Any]) -> int:
    """The size in bytes, as SQS counts it: the body, and each attribute's name, type and value.

    Raises:
        InvalidMessage: the message is too large.
    """
    size = len(parameters["MessageBody"].encode())
    for name, attribute in parameters.get("MessageAttributes", {}).items():
        value = attribute["StringValue"].encode() if "StringValue" in attribute else attribute["BinaryValue"]
        size += len(name.encode()) + len(attribute["DataType"]) + len(value)
    if size > MAX_MESSAGE_BYTES:
        raise InvalidMessage(
            f"the message has {size:,} bytes, attributes included; the limit is {MAX_MESSAGE_BYTES:,}: shorten it, or "
            "store it elsewhere and send its location"
        )
    return size


def _attribute(name: str, value: AttributeValue) -> dict[str, Any]:
    if len(name) > _MAX_ATTRIBUTE_NAME or not re.fullmatch(_ATTRIBUTE_NAME, name):
        raise InvalidMessage(
            f"invalid attribute name {name[:60]!r}: it must be 1 to {_MAX_ATTRIBUTE_NAME} letters, digits and _-. and "
            "must not begin with AWS. or Amazon."
        )
    what = f"the attribute {name}"
    if isinstance(value, TypedValue):
        return _typed_attribute(what, value)
    if isinstance(value, bytes):
        return {"DataType": "Binary", "BinaryValue": _checked_bytes(what, value)}
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": checked_text(what, value)}
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidMessage(f"{what} is {described(value)}: it must be text, a number or bytes")
    _check_range(what, value)
    return {"DataType": "Number", "StringValue": str(value)}


def _typed_attribute(what: str, typed: TypedValue) -> dict[str, Any]:
    data_type, value = typed.data_type, typed.value
    if not isinstance(data_type, str) or len(data_type) > _MAX_DATA_TYPE or not re.fullmatch(_DATA_TYPE, data_type):
        raise InvalidMessage(
            f"{what} has the type {str(data_type)[:60]!r}: it must be String, Number or Binary, or one of them with an "
            f"ending as in Number.EUR, of up to {_MAX_DATA_TYPE} characters"
        )
    if data_type.startswith("Binary") != isinstance(value, bytes):
        raise InvalidMessage(f"{what} has the type {data_type}: bytes must have a Binary type, and text another one")
    if isinstance(value, bytes):
        return {"DataType": data_type, "BinaryValue": _checked_bytes(what, value)}
    checked_text(what, value)
    if data_type.startswith("Number"):
        if not re.fullmatch(_NUMBER, value):
            raise InvalidMessage(f"{what} is {value[:60]!r}, which is not a number")
        _check_range(what, float(value))
    return {"DataType": data_type, "StringValue": value}


def _check_range(what: str, value: float) -> None:
    if value and not _SMALLEST_NUMBER <= abs(value) <= _LARGEST_NUMBER:
        raise InvalidMessage(f"{what} is {value:.6g}: SQS accepts numbers from 1e-128 to 1e126")


def _checked_bytes(what: str, value: bytes) -> bytes:
    if not value:
        raise InvalidMessage(f"{what} is empty: SQS needs at least one byte")
    return value


def checked_text(what: str, text: str) -> str:
    """The text, if SQS accepts it.

    Args:
        what: what it is, for the error.

    Raises:
        InvalidMessage: it is not text, is empty, or has a character that SQS does not accept.
    """
    if not isinstance(text, str):
        raise InvalidMessage(f"{what} is {described(text)}: it must be text")
    if not text:
        raise InvalidMessage(f"{what} is empty: SQS needs at least one character")
    invalid = None if _is_valid_ascii(text) else re.search(_INVALID_CHARACTER, text)
    if invalid:
        character = f"{invalid.group()!r} at position {invalid.start()}"
        raise InvalidMessage(f"{what} has the character {character}, which SQS does not accept")
    return text


def described(value: object) -> str:
    """A value that has the wrong type, in the words of JSON."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return f"the number {str(value)[:60]}"
    return "an object" if isinstance(value, dict) else "an array" if isinstance(value, list) else f"{str(value)[:60]!r}"


def _is_valid_ascii(text: str) -> bool:
    """A quick test that most texts pass."""
    return text.isascii() and len(text.encode().translate(None, _INVALID_ASCII)) == len(text)


def _checked_id(what: str, text: str) -> str:
    if not isinstance(text, str) or len(text) > _MAX_ID or not re.fullmatch(_ID, text):
        raise InvalidMessage(
            f"{what} {str(text)[:60]!r} is invalid: it must be 1 to {_MAX_ID} ASCII letters, digits and punctuation"
        )
    return text

"""How input lines become messages: plain text, or JSON objects."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from hello_queue.sqs.batches import Entry
from hello_queue.sqs.messages import (
    AUTHOR,
    MAX_MESSAGE_BYTES,
    InvalidMessage,
    TypedValue,
    checked_text,
    described,
    message,
    size_of,
)

DEFAULT_GROUP = "default"

_KEYS = ("body", "author", "attributes", "delay", "group", "deduplication_id")


@dataclass(frozen=True)
class MessageFormat:
    """How lines become messages.

    Attributes:
        json_lines: each line is a JSON object with ``body`` and, optionally, ``author``, ``attributes`` (values are
            strings, numbers, ``{"base64": "..."}``, or ``{"type": ..., "text": ...}``), ``delay``, ``group`` and
            ``deduplication_id``. Otherwise each line is a message body.
        author, delay, group: defaults for messages that do not set their own.
        fifo: the queue is a FIFO queue: each message gets a group, and none may have a delay.
        deduplication: the queue has no content-based deduplication: each message gets a deduplication ID.
        skip_blank: blank lines are left out. Otherwise they are invalid.
    """

    json_lines: bool = False
    author: str | None = None
    delay: int | None = None
    group: str | None = None
    fifo: bool = False
    deduplication: bool = False
    skip_blank: bool = False

    @functools.cached_property
    def _is_body_only(self) -> bool:
        """Whether a line is a body, and a message nothing else."""
        return not self.json_lines and not self.fifo and (self.author, self.delay, self.group) == (None, None, None)

    def is_blank(self, raw: bytes) -> bool:
        """Whether a line has no content. Spaces are valid text, but are not content in JSON."""
        return not (raw.strip() if self.json_lines else raw)

    def entry(self, line: int, raw: bytes) -> Entry:
        """The message in a line.

        Raises:
            InvalidMessage: the line cannot be parsed, or SQS would reject the message.
        """
        if self.is_blank(raw):
            raise InvalidMessage("blank line")
        if self._is_body_only and len(raw) <= MAX_MESSAGE_BYTES:  # the quick way for most lines
            return Entry(line, raw, {"MessageBody": checked_text("the message", _decode(raw))}, len(raw))
        parameters = self.parameters(**(parse_json_line(raw) if self.json_lines else {"body": _decode(raw)}))
        return Entry(line, raw, parameters, size_of(parameters))

    def entry_of(self, line: int, body: str, **fields: Any) -> Entry:
        """The message with this body. See `parameters`."""
        parameters = self.parameters(body, **fields)
        return Entry(line, b"", parameters, size_of(parameters))

    def parameters(self, body: str, **fields: Any) -> dict[str, Any]:
        """The parameters of a message.

        Args:
            body: the message body.
            fields: the message's own values, which override the defaults. The names are those of
                `hello_queue.sqs.messages.message`.

        Raises:
            InvalidMessage: SQS would reject the message.
        """
        defaults = {"author": self.author, "delay": self.delay, "group": self.group}
        if AUTHOR in (fields.get("attributes") or {}):
            del defaults["author"]
        parameters = message(body, **{**defaults, **fields})
        if self.fifo:
            if "DelaySeconds" in parameters:
                raise InvalidMessage(
                    f"the delay {parameters['DelaySeconds']}: messages in a FIFO queue have the queue's delay, not "
                    "their own"
                )
            parameters.setdefault("MessageGroupId", DEFAULT_GROUP)
        if self.deduplication and "MessageDeduplicationId" not in parameters:
            parameters["MessageDeduplicationId"] = str(uuid.uuid4())
        return parameters


def parse_json_line(raw: bytes, more_keys: Collection[str] = ()) -> dict[str, Any]:
    """The fields of a message in a line of JSON, by the names of the parameters of `hello_queue.sqs.messages.message`.

    Args:
        more_keys: further keys that the line may have, with any values.

    Raises:
        InvalidMessage: the line cannot be parsed.
    """
    try:
        content = json.loads(_decode(raw), object_pairs_hook=_unique_keys, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"invalid JSON: {error}") from None
    if not isinstance(content, dict):
        raise InvalidMessage('not a JSON object with a "body"')
    keys = (*more_keys, *_KEYS)
    unknown = sorted(content.keys() - set(keys))
    if unknown:
        raise InvalidMessage(f"unknown key {unknown[0][:60]!r}: the keys are {', '.join(keys)}")
    if "body" not in content:
        raise InvalidMessage('not a JSON object with a "body"')
    body = content["body"]
    if not isinstance(body, str):
        hint = " (put the JSON into a string)" if isinstance(body, (dict, list)) else ""
        raise InvalidMessage(f'"body" is {described(body)}: it must be text{hint}')
    attributes = content.pop("attributes", None)
    if attributes is None:
        attributes = {}
    if not isinstance(attributes, dict):
        raise InvalidMessage(f'"attributes" is {described(attributes)}: it must be a JSON object')
    fields = {name: value for name, value in content.items() if value is not None}
    return {**fields, "attributes": {name: _attribute_value(name, value) for name, value in attributes.items()}}


def json_line(received: Mapping[str, Any], *, deduplication_id: bool = True) -> dict[str, Any]:
    """The object whose JSON, in a line, sends a received message again as it was sent, except for its delay.

    Args:
        received: the entry of ReceiveMessage's response, with all attributes.
        deduplication_id: whether to include it, if the message has one.
    """
    content: dict[str, Any] = {"body": received["Body"]}
    attributes = {name: _as_json(each) for name, each in received.get("MessageAttributes", {}).items()}
    if isinstance(attributes.get(AUTHOR), str):
        content["author"] = attributes.pop(AUTHOR)
    if attributes:
        content["attributes"] = attributes
    system = received.get("Attributes", {})
    if "MessageGroupId" in system:
        content["group"] = system["MessageGroupId"]
    if deduplication_id and "MessageDeduplicationId" in system:
        content["deduplication_id"] = system["MessageDeduplicationId"]
    return content


def _as_json(attribute: Mapping[str, Any]) -> Any:
    """The shortest form that becomes the same attribute again."""
    data_type, text = attribute["DataType"], attribute.get("StringValue")
    if text is None:
        value = {"base64": base64.b64encode(attribute["BinaryValue"]).decode()}
        return value if data_type == "Binary" else {"type": data_type, **value}
    if data_type == "String":
        return text
    if data_type == "Number" and re.fullmatch(r"0|-?[1-9][0-9]{0,37}", text):
        return int(text)  # SQS keeps a number as the text that was sent, and others would come back as another text
    return {"type": data_type, "text": text}


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise InvalidMessage(f"the key {repeated[:60]!r} appears twice")
    return content


def _reject_constant(name: str) -> NoReturn:
    raise InvalidMessage(f"invalid JSON: {name} is not a number")


def _attribute_value(name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value.keys() == {"type", "text"}:
        return TypedValue(value["type"], value["text"])
    if value.keys() - {"type"} != {"base64"}:
        raise InvalidMessage(
            f'the attribute {name[:60]!r} is {str(value)[:60]}: it must be a string, a number, {{"base64": "..."}}, '
            'or {"type": "Number.EUR", "text": "..."} ("base64" with a Binary type)'
        )
    try:
        content = base64.b64decode(value["base64"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise InvalidMessage(f"the attribute {name[:60]!r} has invalid base64: {error}") from None
    return TypedValue(value["type"], content) if "type" in value else content


def _decode(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidMessage(f"invalid UTF-8: {error.reason} at byte {error.start}") from None

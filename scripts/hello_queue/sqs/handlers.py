"""What handles messages: the one contract, for process.py and for the workers on AWS Lambda alike.

A handler is a function that takes a `Message`.

- It returns (whatever): the message is done, and deleted.
- It raises `RetryLater(seconds)`: the message comes again after so long.
- It raises any other exception: the message comes again after the queue's visibility timeout.
- It raises `CannotGoOn`: as before, and no further messages are taken: what all of them need is gone, not this one's
fault.

A message that has failed as often as the queue's max receive count moves to the dead-letter queue. SQS delivers at
least once: a handler may get a message again that it has handled, and must bear that. With concurrency, it runs on
several threads at once.

This module needs nothing but Python, so that it can travel to where a handler runs.
"""

from __future__ import annotations

import base64
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


class RetryLater(Exception):
    """Raised by a handler to have the message again after a delay.

    Args:
        seconds: 0 to 43,200, as SQS allows; 0 is at once.
    """

    def __init__(self, seconds: int) -> None:
        if type(seconds) is not int or not 0 <= seconds <= 43_200:
            raise ValueError(f"{seconds!r} is not a whole number of seconds from 0 to 43,200")
        super().__init__(f"asked to be tried again after {seconds} s")
        self.seconds = seconds


class CannotGoOn(Exception):
    """Raised by a handler when no message can be handled any more. Raise it ``from`` the reason."""


class NoSuchHandler(Exception):
    """There is no handler of that name. The message is one line for a person."""


@dataclass(frozen=True)
class Message:
    """A received message.

    Attributes:
        id: SQS's message id.
        body: the text.
        attributes: message attributes by name: text for String and Number, bytes for Binary.
        receive_count: how often it has been received, this time included.
        sent_at: when, in seconds since the epoch; None where SQS did not say.
        group: the message group, or None.
    """

    id: str
    body: str
    attributes: Mapping[str, str | bytes] = field(default_factory=dict)
    receive_count: int = 1
    sent_at: float | None = None
    group: str | None = None

    @property
    def author(self) -> str | None:
        """The attribute Author, if it is there and is text."""
        author = self.attributes.get("Author")
        return author if isinstance(author, str) else None


Handler = Callable[[Message], object]


def from_receive(received: Mapping[str, Any]) -> Message:
    """A message as ReceiveMessage returns it."""
    attributes = received.get("MessageAttributes")
    values = (
        {name: _value(each, "StringValue", "BinaryValue") for name, each in attributes.items()} if attributes else {}
    )
    return _message(received["MessageId"], received["Body"], values, received.get("Attributes", {}))


def from_lambda(record: Mapping[str, Any]) -> Message:
    """A message as an event source mapping hands it to AWS Lambda."""
    values: dict[str, str | bytes] = {}
    for name, each in record.get("messageAttributes", {}).items():
        value = _value(each, "stringValue", "binaryValue")
        binary = each.get("dataType", "").startswith("Binary")
        values[name] = base64.b64decode(value) if binary else value
    return _message(record["messageId"], record["body"], values, record.get("attributes", {}))


def load_handler(name: str) -> Handler:
    """The function that ``module:function`` names.

    Raises:
        NoSuchHandler: there is none. What the module itself raises when it is imported is not caught.
    """
    module_name, colon, function_name = name.partition(":")
    if not (module_name and colon and function_name):
        raise NoSuchHandler(f"{name!r} is no handler: it takes module:function")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise NoSuchHandler(f"there is no module {module_name!r} in this folder or among what is installed") from None
    function = getattr(module, function_name, None)
    if not callable(function):
        raise NoSuchHandler(f"the module {module_name!r} has no function {function_name!r}")
    handler: Handler = function
    return handler


def _message(id: str, body: str, attributes: Mapping[str, str | bytes], system: Mapping[str, str]) -> Message:
    sent = system.get("SentTimestamp")
    return Message(
        id=id,
        body=body,
        attributes=attributes,
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        sent_at=int(sent) / 1000 if sent else None,
        group=system.get("MessageGroupId"),
    )


def _value(attribute: Mapping[str, Any], text: str, binary: str) -> Any:
    value = attribute.get(text)
    return attribute[binary] if value is None else value

"""What a message may be, and how it reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from common.errors import UsageError

MAX_MESSAGE_BYTES = 1_048_576
"""Body and attributes together:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""

_NOT_ALLOWED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What SQS refuses in text:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def message(body: str, author: str | None = None) -> dict[str, Any]:
    """The parameters of SendMessage for a body and, if given, an author (message attribute ``Author``).

    Raises:
        UsageError: SQS would refuse it: empty, too long, or with characters that it does not take.
    """
    parameters: dict[str, Any] = {"MessageBody": _checked("the message", body)}
    size = len(body.encode())
    if author is not None:
        parameters["MessageAttributes"] = {
            "Author": {"DataType": "String", "StringValue": _checked("the author", author)},
        }
        size += len("Author") + len("String") + len(author.encode())
    if size > MAX_MESSAGE_BYTES:
        raise UsageError(
            f"the message has {size:,} bytes with its attributes; SQS takes {MAX_MESSAGE_BYTES:,}: "
            "shorten it, or send where it is kept"
        )
    return parameters


def author_of(received: Mapping[str, Any]) -> str | None:
    """The author of a received message, if it has one."""
    author: str | None = received.get("MessageAttributes", {}).get("Author", {}).get("StringValue")
    return author


def for_terminal(text: str) -> str:
    """The text with its control characters spelled out: a message must not be able to drive somebody's terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


def _checked(what: str, text: str) -> str:
    if not text:
        raise UsageError(f"{what} is empty: SQS takes at least one character")
    refused = _NOT_ALLOWED.search(text)
    if refused:
        character = f"{refused.group()!r} at position {refused.start()}"
        raise UsageError(f"{what} has the character {character}, which SQS does not take")
    return text

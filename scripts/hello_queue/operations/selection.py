"""Which messages of a dead-letter queue a person has picked: by id, by a pattern, by fields of a JSON body."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hello_queue.sqs.handlers import Message


@dataclass(frozen=True)
class Selection:
    """What a message must have to be picked: all of it. The empty selection picks every message.

    Attributes:
        ids: its id is one of these.
        pattern: it is found in the body.
        fields: the body is a JSON object with these values. A dot in a name leads into an object, as in
            ``customer.id``, unless a key has this name with its dot.
    """

    ids: Collection[str] = ()
    pattern: re.Pattern[str] | None = None
    fields: Mapping[str, str] | None = None

    def __bool__(self) -> bool:
        return bool(self.ids or self.pattern or self.fields)

    def picks(self, message: Message) -> bool:
        if self.ids and message.id not in self.ids:
            return False
        if self.pattern is not None and not self.pattern.search(message.body):
            return False
        return not self.fields or _has_fields(message.body, self.fields)


def _has_fields(body: str, fields: Mapping[str, str]) -> bool:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return all(_equals(_field(content, name), value) for name, value in fields.items())


_MISSING = object()


def _field(content: Any, name: str) -> Any:
    if not isinstance(content, dict):
        return _MISSING
    if name in content:
        return content[name]
    first, dot, rest = name.partition(".")
    return _field(content.get(first), rest) if dot else _MISSING


def _equals(found: Any, text: str) -> bool:
    """Whether a value is what was written on a command line: text as it is, anything else as in JSON."""
    if isinstance(found, str):
        return found == text
    try:
        wanted = json.loads(text)
    except (ValueError, RecursionError):
        return False
    # In Python, true and 1 are equal.
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)

"""One check: what was expected, what was found, and whether that is good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.errors import explain


@dataclass(frozen=True)
class Check:
    """A check that was made. ``passed`` is None where it was skipped.

    ``expected`` may be the beginning of what is good, with what was found going on to say how it was found.
    """

    name: str
    expected: str
    found: str
    passed: bool | None


def check(name: str, expected: Any, find: Callable[[], Any]) -> Check:
    """Look, and compare with what was expected. An error of AWS is a finding, and fails the check."""
    try:
        found = find()
    except (ClientError, BotoCoreError) as error:
        return failure(name, _text(expected), error)
    return Check(name, _text(expected), _text(found), found == expected)


def failure(name: str, expected: str, error: ClientError | BotoCoreError) -> Check:
    """The check that failed because AWS answered with an error. An error that nobody can expect is raised again."""
    explained = explain(error)
    if explained is None:
        raise error
    return Check(name, expected, explained, False)


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return str(value)

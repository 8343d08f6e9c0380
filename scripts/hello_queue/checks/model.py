"""The result of a check: what was expected, what was found, and whether it passed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.errors import explain


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: what was checked.
        expected: what passes. ``found`` may go on after it, to tell how it was found.
        found: what was found.
        passed: None if the check was skipped; ``found`` has the reason.
    """

    name: str
    expected: str
    found: str
    passed: bool | None


def check(name: str, expected: Any, find: Callable[[], Any]) -> Check:
    """Call ``find`` and compare what it returns with ``expected``. An AWS error fails the check."""
    try:
        found = find()
    except (ClientError, BotoCoreError) as error:
        return failure(name, _text(expected), error)
    return Check(name, _text(expected), _text(found), found == expected)


def failure(name: str, expected: str, error: ClientError | BotoCoreError) -> Check:
    """A check that failed with an AWS error. Raises the error again if it is a bug rather than an expected failure."""
    explained = explain(error)
    if explained is None:
        raise error
    return Check(name, expected, explained, False)


def skipped(name: str, expected: str, reason: str) -> Check:
    return Check(name, expected, f"skipped: {reason}", None)


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return str(value)

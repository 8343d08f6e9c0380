"""The result of a check: what was expected, what was found, and whether it passed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.errors import explain, may_be_propagating


@dataclass(frozen=True)
class Right:
    """What a check of rights is about.

    Attributes:
        action: the IAM action.
        resource: the last part of its ARN, or ``*``.
        who: ``user`` or ``operator``.
        decision: ``allowed`` or ``denied``; empty if it is not known.
    """

    action: str
    resource: str
    who: str
    decision: str


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: what was checked.
        expected: what passes. ``found`` may go on after it, to tell how it was found.
        found: what was found.
        passed: None if the check was skipped; ``found`` has the reason.
        group: ``identity``, ``rights``, ``queue`` or ``delivery``.
        fix: the commands that fix what failed, one a line; empty if the check has not failed.
        right: what a check of rights is about.
        settles: for how many seconds after a deployment AWS may answer like this although nothing is wrong.
    """

    name: str
    expected: str
    found: str
    passed: bool | None
    group: str = ""
    fix: str = ""
    right: Right | None = None
    settles: float = 0


def check(name: str, expected: Any, find: Callable[[], Any], *, settles: float = 0) -> Check:
    """Call ``find`` and compare what it returns with ``expected``. An AWS error fails the check.

    What is only missing from a list can still arrive: IAM does not say how long its changes take.
    """
    try:
        found = find()
    except (ClientError, BotoCoreError) as error:
        return failure(name, _text(expected), error)
    if isinstance(found, list) and set(found) < set(expected):
        settles = math.inf
    return Check(name, _text(expected), _text(found), found == expected, settles=settles)


def failure(name: str, expected: str, error: ClientError | BotoCoreError) -> Check:
    """A check that failed with an AWS error. Raises the error again if it is a bug rather than an expected failure."""
    explained = explain(error)
    if explained is None:
        raise error
    return Check(name, expected, explained, False, settles=math.inf if may_be_propagating(error) else 0)


def skipped(name: str, expected: str, reason: str) -> Check:
    return Check(name, expected, f"skipped: {reason}", None)


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return str(value)

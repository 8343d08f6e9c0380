"""The checks run in this process, against the local AWS."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from hello_queue.checks.deployment import deployment_checks
from hello_queue.checks.model import Check
from tests.conftest import Aws
from tests.local_aws.environments import inside


@pytest.fixture
def environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """This process's environment points to the local AWS, with its root key."""
    inside(aws, monkeypatch)
    return monkeypatch


def make_checks(deployment: str = "", *, longest_delay: int = 0) -> list[Check]:
    """All checks; by default without those of delivery, for a queue with a delay."""
    return list(deployment_checks(deployment, timeout=30, longest_delay=longest_delay, report=lambda line: None))


def failures(checks: Iterable[Check]) -> list[str]:
    """The names of the failed checks."""
    return [check.name for check in checks if check.passed is False]

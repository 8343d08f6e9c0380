"""A producer and a consumer behind the faulty path."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.conftest import Aws
from tests.faults import FaultyPath
from tests.local_aws.environments import inside


@pytest.fixture
def sqs(aws: Aws, path: FaultyPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process calls the local AWS through the faulty path."""
    inside(aws, monkeypatch, **path.variables())


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread

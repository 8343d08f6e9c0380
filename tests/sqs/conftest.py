"""A producer and a consumer behind the faulty path."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Aws
from tests.faults import FaultyPath
from tests.local_aws.environments import inside


@pytest.fixture
def sqs(aws: Aws, path: FaultyPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process calls the local AWS through the faulty path."""
    inside(aws, monkeypatch, **path.variables())


@pytest.fixture
def fifo_queue(aws: Aws) -> Iterator[str]:
    sqs = aws.client("sqs")
    name = f"t-{time.time_ns()}.fifo"
    url = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread

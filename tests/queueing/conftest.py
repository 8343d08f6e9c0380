"""A producer, a consumer and a faulty path to try them on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from queueing.transport import Connections
from tests.conftest import Aws
from tests.faults import FaultyPath, faulty_path


@pytest.fixture
def path(aws: Aws, tmp_path: Path) -> Iterator[FaultyPath]:
    with faulty_path(aws.instance, tmp_path) as faulty:
        yield faulty


@pytest.fixture
def sqs(aws: Aws, path: FaultyPath) -> Any:
    """A client over the faulty path, with the transport that the scripts use."""
    client = aws.client(
        "sqs",
        endpoint_url=path.endpoint,
        verify=str(path.authority),
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send.sqs", Connections(str(path.authority)).send)
    return client


def bodies(aws: Aws, url: str) -> list[str]:
    """Take everything visible out of a queue."""
    sqs = aws.client("sqs")
    found = []
    while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in received:
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread

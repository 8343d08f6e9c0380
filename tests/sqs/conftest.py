"""A producer and a consumer behind the faulty path."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config

from hello_queue.sqs.transport import Connections
from tests.conftest import Aws
from tests.faults import FaultyPath


@pytest.fixture
def sqs(aws: Aws, path: FaultyPath) -> Any:
    """A client behind the faulty path, with the transport that the scripts use."""
    client = aws.client(
        "sqs",
        endpoint_url=path.endpoint,
        verify=str(path.authority),
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send.sqs", Connections(str(path.authority)).send)
    return client


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread

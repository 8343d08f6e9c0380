"""Queues with dead-letter queues."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Aws
from tests.scripts.pairs import Pair, make_pair


@pytest.fixture
def pair(aws: Aws) -> Iterator[Pair]:
    made = make_pair(aws)
    yield made
    for url in (made.url, made.dead):
        aws.client("sqs").delete_queue(QueueUrl=url)


@pytest.fixture
def fifo_pair(aws: Aws) -> Pair:
    return make_pair(aws, ".fifo", FifoQueue="true")

"""Queues with dead letters, for code that runs in the tests' own process."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from hello_queue.aws.clients import client
from hello_queue.cli.dead_letters import Queues
from hello_queue.operations import scan
from hello_queue.sqs import transports
from tests.conftest import Aws
from tests.local_aws.environments import inside
from tests.operations.letters import TEXTS, Make
from tests.queues import fill
from tests.scripts.pairs import Pair, make_pair


@pytest.fixture
def made(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes pairs of queues with all texts in the dead-letter queue. This process calls the local AWS."""
    inside(aws, monkeypatch)
    monkeypatch.setattr(scan, "WAIT_SECONDS", 0)  # the local AWS is one server
    sqs = functools.cache(lambda: client("sqs"))  # making one takes long
    monkeypatch.setattr(transports, "client", lambda *_, **__: sqs())
    pairs = []

    def make() -> tuple[Pair, Queues]:
        pair = make_pair(aws)
        pairs.append(pair)
        fill(aws, pair.dead, *TEXTS)
        return pair, Queues.of(sqs(), pair.url)

    yield make
    for pair in pairs:
        for url in (pair.url, pair.dead):
            aws.client("sqs").delete_queue(QueueUrl=url)

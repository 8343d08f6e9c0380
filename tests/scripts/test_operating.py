"""status.py: the counts of a queue and its dead-letter queue, once and repeatedly."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hello_queue.operations.metrics import Figures, change_per_second, seconds_to_drain
from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.queues import bodies, fill, redrive_policy


@dataclass(frozen=True)
class Pair:
    """A queue and its dead-letter queue."""

    url: str
    dead: str


def make_pair(aws: Aws, suffix: str = "", **attributes: str) -> Pair:
    sqs = aws.client("sqs")
    name = f"t-{time.time_ns()}"
    dead = sqs.create_queue(QueueName=f"{name}-dlq{suffix}", Attributes=attributes)["QueueUrl"]
    attributes = {"VisibilityTimeout": "1", "RedrivePolicy": redrive_policy(aws, dead, 3), **attributes}
    return Pair(sqs.create_queue(QueueName=f"{name}{suffix}", Attributes=attributes)["QueueUrl"], dead)


@pytest.fixture
def pair(aws: Aws) -> Iterator[Pair]:
    made = make_pair(aws)
    yield made
    for url in (made.url, made.dead):
        aws.client("sqs").delete_queue(QueueUrl=url)


def test_status_counts(aws: Aws, pair: Pair) -> None:
    sqs = aws.client("sqs")
    fill(aws, pair.url, *[str(number) for number in range(7)])
    sqs.send_message(QueueUrl=pair.url, MessageBody="later", DelaySeconds=60)
    sqs.receive_message(QueueUrl=pair.url, MaxNumberOfMessages=2, VisibilityTimeout=60)
    done = aws.script("status.py", "--queue-url", pair.url, "--json")
    figures = json.loads(done.stdout)
    assert (figures["visible"], figures["in_flight"], figures["delayed"], figures["dead"]) == (5, 2, 1, 0)
    assert figures["change_per_second"] is None


def test_status_watches(aws: Aws, pair: Pair) -> None:
    fill(aws, pair.url, *[str(number) for number in range(20)])
    command = [sys.executable, "scripts/status.py", "--queue-url", pair.url, "--json", "--watch=1", "--looks=3"]
    with subprocess.Popen(
        command, cwd=ROOT, env=aws.instance.environment(), stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout
        first = json.loads(watching.stdout.readline())
        assert first["visible"] == 20
        bodies(aws, pair.url)
        *_, last = [json.loads(line) for line in watching.stdout]
    assert watching.returncode == 0
    assert last["visible"] == 0
    assert last["seconds_to_drain"] == 0


def figures(at: float, visible: int) -> Figures:
    return Figures(at, visible, 0, 0, 0, None, None, None)


def test_draining() -> None:
    assert change_per_second(figures(0, 100), figures(10, 50)) == -5
    assert seconds_to_drain(figures(0, 100), figures(10, 50)) == 10
    assert seconds_to_drain(figures(0, 50), figures(10, 50)) is None
    assert seconds_to_drain(figures(0, 50), figures(10, 60)) is None
    assert seconds_to_drain(figures(0, 50), figures(10, 0)) == 0


def test_a_queue_without_a_dead_letter_queue(aws: Aws, queue: str) -> None:
    done = aws.script("status.py", "--queue-url", queue, check=False)
    assert done.returncode == 1
    assert "has no dead-letter queue" in done.stderr

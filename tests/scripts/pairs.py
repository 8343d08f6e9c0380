"""A queue and its dead-letter queue, as tests of redrive.py need them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tests.conftest import Aws
from tests.queues import redrive_policy


@dataclass(frozen=True)
class Pair:
    """The URLs of a queue and its dead-letter queue."""

    url: str
    dead: str

    @property
    def move(self) -> list[str]:
        """redrive.py and its arguments."""
        return ["redrive.py", "--queue-url", self.url, "--move", "--yes"]


def make_pair(aws: Aws, suffix: str = "", **attributes: str) -> Pair:
    sqs = aws.client("sqs")
    name = f"t-{time.time_ns()}"
    dead = sqs.create_queue(QueueName=f"{name}-dlq{suffix}", Attributes=attributes)["QueueUrl"]
    attributes = {"VisibilityTimeout": "1", "RedrivePolicy": redrive_policy(aws, dead, 3), **attributes}
    return Pair(sqs.create_queue(QueueName=f"{name}{suffix}", Attributes=attributes)["QueueUrl"], dead)


def count(aws: Aws, url: str) -> int:
    """How many messages are visible."""
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])

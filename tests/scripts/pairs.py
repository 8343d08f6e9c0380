"""A queue and its dead-letter queue, as tests of redrive.py need them."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
from dataclasses import dataclass
from typing import Any

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


def all_bodies(aws: Aws, url: str) -> list[str]:
    """The bodies of all messages, also hidden ones. Nothing is received."""
    found: list[str] = []

    def note(content: dict[str, Any]) -> None:
        if "Body" in content:
            found.append(str(content["Body"]))

    trust = ssl.create_default_context(cafile=aws.instance.variables["AWS_CA_BUNDLE"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    with opener.open(f"{aws.instance.variables['AWS_ENDPOINT_URL']}/_ministack/sqs/messages?QueueUrl={url}") as answer:
        json.load(answer, object_hook=note)
    return found

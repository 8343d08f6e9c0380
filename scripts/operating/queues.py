"""A queue and its dead-letter queue, as SQS knows them."""

from __future__ import annotations

import json
from typing import Any

from common.errors import ScriptError


def attributes(sqs: Any, url: str) -> dict[str, str]:
    found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found


def dead_letter_queue(sqs: Any, url: str) -> str:
    """The URL of a queue's dead-letter queue.

    Raises:
        ScriptError: it has none.
    """
    policy = json.loads(attributes(sqs, url).get("RedrivePolicy", "{}"))
    if "deadLetterTargetArn" not in policy:
        raise ScriptError(f"{url} has no dead-letter queue: is it one itself? Name the queue that it belongs to")
    *_, account, name = policy["deadLetterTargetArn"].split(":")
    return str(sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"])

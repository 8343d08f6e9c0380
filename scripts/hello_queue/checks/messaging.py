"""Compare the queue and its dead-letter queue in SQS with what the messaging stack declares."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from hello_queue.aws.clients import client
from hello_queue.aws.errors import is_denied
from hello_queue.checks.model import Check, check, failure
from hello_queue.constants import DEAD_LETTER_RETENTION_SECONDS
from hello_queue.deployment.stacks import DeployedStack
from hello_queue.sqs.queues import attributes, redrive_policy

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

SETTLING_SECONDS = 60
"""How long a queue may return old attributes after a change. Its retention period: `RETENTION_SETTLING_SECONDS`.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""

RETENTION_SETTLING_SECONDS = 900


def messaging_checks(sqs: SQSClient, messaging: DeployedStack) -> Iterator[Check]:
    """Check the attributes of both queues, and that both refuse calls without TLS."""
    url, dead_letter_url = messaging.outputs["QueueUrl"], messaging.outputs["DeadLetterQueueUrl"]
    declared = messaging.resource("AWS::SQS::Queue", QueueName=messaging.outputs["QueueName"]).properties
    dead_letter_arn = attributes(sqs, dead_letter_url)["QueueArn"]

    name = messaging.outputs["QueueName"]
    for attribute in ("DelaySeconds", "VisibilityTimeout", "MessageRetentionPeriod"):
        yield _attribute_check(sqs, url, f"{name}: {attribute}", attribute, str(declared[attribute]))
    redrive = f"to {dead_letter_arn} after {declared['RedrivePolicy']['maxReceiveCount']} receives"
    yield check(f"{name}: redrive", redrive, lambda: _redrive(attributes(sqs, url)), settles=SETTLING_SECONDS)
    yield from _protection_checks(sqs, url, name)

    name = dead_letter_url.rpartition("/")[2]
    yield _attribute_check(sqs, dead_letter_url, f"{name}: DelaySeconds", "DelaySeconds", "0")
    retention = str(DEAD_LETTER_RETENTION_SECONDS)
    yield _attribute_check(sqs, dead_letter_url, f"{name}: MessageRetentionPeriod", "MessageRetentionPeriod", retention)
    yield check(
        f"{name}: redrive allowed",
        f"byQueue {messaging.outputs['QueueArn']}",
        lambda: _redrive_allowed(attributes(sqs, dead_letter_url)),
        settles=SETTLING_SECONDS,
    )
    yield from _protection_checks(sqs, dead_letter_url, name)


def _protection_checks(sqs: SQSClient, url: str, name: str) -> Iterator[Check]:
    yield _attribute_check(sqs, url, f"{name}: encrypted (SqsManagedSseEnabled)", "SqsManagedSseEnabled", "true")
    yield check(
        f"{name}: policy denies plain http",
        True,
        lambda: denies_plain_http(attributes(sqs, url)),
        settles=SETTLING_SECONDS,
    )
    yield _plain_http_check(sqs, url, f"{name}: a call over plain http")


def _attribute_check(sqs: SQSClient, url: str, name: str, attribute: str, expected: str) -> Check:
    settles = RETENTION_SETTLING_SECONDS if attribute == "MessageRetentionPeriod" else SETTLING_SECONDS
    return check(name, expected, lambda: attributes(sqs, url).get(attribute, "not set"), settles=settles)


def _redrive(attributes: Mapping[str, str]) -> str:
    policy = redrive_policy(attributes)
    return f"to {policy.get('deadLetterTargetArn')} after {policy.get('maxReceiveCount')} receives"


def _redrive_allowed(attributes: Mapping[str, str]) -> str:
    policy = json.loads(attributes.get("RedriveAllowPolicy", "{}"))
    return " ".join([policy.get("redrivePermission", "allowAll"), *policy.get("sourceQueueArns", [])])


def denies_plain_http(attributes: Mapping[str, str]) -> bool:
    """Whether the queue policy denies every action to every principal that does not use TLS."""
    statements = json.loads(attributes.get("Policy", '{"Statement": []}'))["Statement"]
    return any(
        statement["Effect"] == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and statement.get("Action") in ("sqs:*", "SQS:*")
        and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for statement in statements
    )


def _plain_http_check(sqs: SQSClient, url: str, name: str) -> Check:
    """Read the queue's attributes over plain http, which changes nothing.

    Passes if the queue policy denies the call, and if the endpoint does not answer plain http at all.
    """
    endpoint = sqs.meta.endpoint_url.replace("https://", "http://", 1)
    plain = client("sqs", endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}))
    try:
        plain.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        found = "answered"
    except (ConnectionError, HTTPClientError):
        found = f"refused: {endpoint} does not answer plain http"
    except ClientError as error:
        if not is_denied(error):
            return failure(name, "refused", error)
        found = "refused by the queue policy"
    return Check(name, "refused", found, found.startswith("refused"), settles=SETTLING_SECONDS)

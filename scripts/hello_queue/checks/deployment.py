"""All checks of a deployment, in the order in which the smoke test prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.clients import client
from hello_queue.checks.delivery import delivery_checks
from hello_queue.checks.identity import identity_checks
from hello_queue.checks.messaging import messaging_checks
from hello_queue.checks.model import Check, failure
from hello_queue.checks.rights import rights_checks, user_access_key
from hello_queue.constants import IDENTITY_STACK, MESSAGING_STACK
from hello_queue.deployment.stacks import DeployedStack


def deployment_checks(
    deployment: str, *, timeout: int, longest_delay: int, report: Callable[[str], None]
) -> Iterator[Check]:
    """Make all checks. An AWS error that ends one group of checks does not end the others.

    Args:
        deployment: the deployment's name, ``""`` for the default one.
        timeout, longest_delay, report: see `delivery_checks`.

    Raises:
        HelloQueueError: the deployment does not exist or is incomplete.
    """
    cloudformation = client("cloudformation")
    messaging = DeployedStack(cloudformation, MESSAGING_STACK, deployment)
    identity = DeployedStack(cloudformation, IDENTITY_STACK, deployment)
    key = None
    yield from _group("identity", identity_checks(client("iam"), identity))
    yield from _group("messaging", messaging_checks(client("sqs"), messaging))
    if "AccessKeySecretArn" in identity.outputs:
        key, of_user = user_access_key(identity)
        yield of_user
    yield from _group("rights", rights_checks(identity, messaging, key))
    declared = messaging.resource("AWS::SQS::Queue", QueueName=messaging.outputs["QueueName"]).properties
    delivery = delivery_checks(
        client("sqs", key=key),
        messaging.outputs["QueueUrl"],
        delay=declared["DelaySeconds"],
        max_receive_count=declared["RedrivePolicy"]["maxReceiveCount"],
        timeout=timeout,
        longest_delay=longest_delay,
        report=report,
    )
    yield from _group("delivery", delivery)


def _group(subject: str, checks: Iterator[Check]) -> Iterator[Check]:
    """The checks, and a failed one if an AWS error ends them early."""
    try:
        yield from checks
    except (ClientError, BotoCoreError) as error:
        yield failure(f"all checks of {subject}", "completed", error)

"""All checks of a deployment, in the order in which they are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.clients import AccessKey, client, is_local
from hello_queue.checks.delivery import delivery_checks
from hello_queue.checks.identity import identity_checks
from hello_queue.checks.messaging import messaging_checks
from hello_queue.checks.model import Check, failure
from hello_queue.checks.rights import rights_checks, user_access_key
from hello_queue.checks.waiting import Waiting
from hello_queue.constants import IDENTITY_STACK, MESSAGING_STACK, WORKERS_STACK
from hello_queue.deployment.stacks import DeployedStack, stack_exists

IDENTITY, RIGHTS, QUEUE, DELIVERY = "identity", "rights", "queue", "delivery"
GROUPS = (IDENTITY, RIGHTS, QUEUE, DELIVERY)
"""The groups of checks, in the order in which a person reads them."""


def deployment_checks(
    deployment: str, *, timeout: int, longest_delay: int, report: Callable[[str], None], wait: float = 0
) -> Iterator[Check]:
    """Make all checks. An AWS error that ends one group of checks does not end the others.

    Args:
        deployment: the deployment's name, ``""`` for the default one.
        timeout, longest_delay, report: see `delivery_checks`.
        wait: for how many seconds to repeat checks that fail only because the deployment is recent.

    Raises:
        HelloQueueError: the deployment does not exist or is incomplete.
    """
    cloudformation = client("cloudformation")
    waiting = Waiting(wait, report)
    messaging = waiting.call(lambda: DeployedStack(cloudformation, MESSAGING_STACK, deployment))
    identity = waiting.call(lambda: DeployedStack(cloudformation, IDENTITY_STACK, deployment))
    local = is_local(cloudformation.meta.endpoint_url)
    fixes = {stack.name: redeploy(stack.name, deployment, local=local) for stack in (messaging, identity)}
    key: AccessKey | None = None

    def of_identity() -> Iterator[Check]:
        nonlocal key
        yield from _group(IDENTITY, fixes[identity.name], identity_checks(client("iam"), identity))
        if "AccessKeySecretArn" in identity.outputs:
            key, of_user = user_access_key(identity)
            yield from _group(IDENTITY, _new_key(identity, deployment), [of_user])

    yield from waiting.settled(of_identity)
    yield from waiting.settled(lambda: _group(QUEUE, fixes[messaging.name], messaging_checks(client("sqs"), messaging)))
    yield from waiting.settled(lambda: _group(RIGHTS, fixes[identity.name], rights_checks(identity, messaging, key)))
    declared = messaging.resource("AWS::SQS::Queue", QueueName=messaging.outputs["QueueName"]).properties

    def of_delivery() -> Iterator[Check]:
        yield from delivery_checks(
            client("sqs", key=key),
            messaging.outputs["QueueUrl"],
            delay=declared["DelaySeconds"],
            max_receive_count=declared["RedrivePolicy"]["maxReceiveCount"],
            timeout=timeout,
            longest_delay=longest_delay,
            report=report,
            waiting=waiting,
            has_workers=stack_exists(cloudformation, WORKERS_STACK, deployment),
            redeploy=fixes[messaging.name],
        )

    for each in _group(DELIVERY, f"python scripts/status.py --deployment={deployment}", of_delivery()):
        refused = each.passed is False and each.settles  # by an AWS error, such as a denied action
        yield dataclasses.replace(each, fix=fixes[identity.name]) if refused else each


def _group(group: str, fix: str, checks: Iterable[Check]) -> Iterator[Check]:
    """The checks, and a failed one if an AWS error ends them early. ``fix`` is for those without a command."""
    try:
        for each in checks:
            command = (each.fix or fix) if each.passed is False else ""
            yield dataclasses.replace(each, group=group, fix=command)
    except (ClientError, BotoCoreError) as error:
        yield dataclasses.replace(failure(f"all checks of {group}", "completed", error), group=group, fix=fix)


def redeploy(stack: str, deployment: str, *, local: bool) -> str:
    """The command that brings a stack's resources back to what its template declares.

    Args:
        stack: its name.
        deployment: the name of its deployment.
        local: it is in a local AWS, where --revert-drift has no effect.
    """
    setting = _setting(deployment)
    if local:
        return f"npx cdk destroy --all --force{setting} && npx cdk deploy --all{setting}"
    return f"npx cdk deploy {stack} --revert-drift{setting}"


def _new_key(identity: DeployedStack, deployment: str) -> str:
    """The commands that replace the access key, in AWS and where it is used."""
    return (
        f"npx cdk deploy {identity.name} -c access_key=2{_setting(deployment)}  # another number than now\n"
        f"python scripts/credentials.py profile queue --force --deployment={deployment}"
    )


def _setting(deployment: str) -> str:
    return f" -c deployment={deployment}" if deployment else ""

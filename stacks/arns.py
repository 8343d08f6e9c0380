"""ARNs that stacks make from names, or read by an attribute."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import IConstruct


def queue_arn(scope: IConstruct, queue_name: str) -> str:
    """The ARN of a queue with this name in the stack's account and region.

    Made from the name instead of a reference: a reader sees which queue it is, the stacks need no exports (which would
    block changes), and the two queues can name each other without a cycle.
    """
    return cdk.Stack.of(scope).format_arn(service="sqs", resource=queue_name)


def secret_arn(secret: secretsmanager.Secret) -> str:
    """The secret's ARN by its attribute Id: Ref is the ARN on AWS, but the name on some emulators."""
    resource = secret.node.default_child
    assert isinstance(resource, secretsmanager.CfnSecret)
    return resource.attr_id

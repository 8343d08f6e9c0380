"""What is to be said about secrets in more than one place."""

from __future__ import annotations

from aws_cdk import aws_secretsmanager as secretsmanager


def arn_of_secret(secret: secretsmanager.Secret) -> str:
    """The secret's ARN, by an attribute rather than by Ref, which an emulator of AWS may take for the name."""
    resource = secret.node.default_child
    assert isinstance(resource, secretsmanager.CfnSecret)
    return resource.attr_id

"""The secret that holds the user's current access key."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.acknowledgments import acknowledge


class AccessKeySecret(secretsmanager.Secret):
    """An access key's id and secret together. The secret of the key is nowhere else."""

    def __init__(self, scope: Construct, construct_id: str, *, secret_name: str, access_key: iam.AccessKey) -> None:
        super().__init__(
            scope,
            construct_id,
            secret_name=secret_name,
            description="The access key of the queue's user, for scripts/credentials.py",
            secret_object_value={
                # The id is no secret, but clients need both.
                "AccessKeyId": cdk.SecretValue.unsafe_plain_text(access_key.access_key_id),
                "SecretAccessKey": access_key.secret_access_key,
            },
        )
        acknowledge(
            self,
            "AwsSolutions-SMG4",
            "A rotation function would invalidate the key while clients still use it. Two settings and three reviewed "
            "deploys rotate it instead, and both keys work in between (docs/access-keys.md, Rotate the key).",
        )

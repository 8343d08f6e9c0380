"""Who may use the queue: the administrators' group, the user with its access key, and the user's rights."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from hello_queue.constants import (
    DEAD_LETTER_ACTIONS,
    METRICS_ACTIONS,
    QUEUE_USER_ACTIONS,
    REDRIVE_TARGET_ACTIONS,
)
from stacks.acknowledgments import acknowledge
from stacks.console import add_console_access
from stacks.messaging import queue_arn
from stacks.secrets import arn_of_secret
from stacks.settings import Settings


class IdentityStack(cdk.Stack):
    """The IAM group with AdministratorAccess, the user in it, its access key, and the policy for using the queue.

    The queue policy is attached to the user itself, so that the scripts go on working for a user who is no
    administrator (``administrator_access=false``).
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, tags: dict[str, str]) -> None:
        description = "IAM group and user, and the user's rights on the queue"
        super().__init__(scope, construct_id, description=description, tags=tags)
        groups: list[iam.IGroup] = []
        if settings.administrator_access:
            groups.append(self._administrators(settings.physical_group_name))
        user = iam.User(self, "User", user_name=settings.physical_user_name, groups=groups)
        policy = iam.ManagedPolicy(
            self,
            "QueueUserPolicy",
            managed_policy_name=settings.prefixed(f"{settings.queue_name}-queue-user"),
            users=[user],
            statements=[
                iam.PolicyStatement(
                    sid="UseTheQueue",
                    actions=list(QUEUE_USER_ACTIONS),
                    resources=[queue_arn(self, settings.physical_queue_name)],
                )
            ],
        )
        operator = _operator_policy(self, settings)
        for output, value, description in (
            ("UserName", user.user_name, "Name of the IAM user"),
            ("QueueUserPolicyArn", policy.managed_policy_arn, "ARN of the policy that allows use of the queue only"),
            ("OperatorPolicyArn", operator.managed_policy_arn, "ARN of the policy for status.py and redrive.py"),
        ):
            cdk.CfnOutput(self, output, value=value, description=description)
        if settings.access_key:
            self._access_keys(user, settings)
        if settings.console_access:
            add_console_access(self, user, settings)

    def _administrators(self, group_name: str) -> iam.Group:
        group = iam.Group(
            self,
            "Administrators",
            group_name=group_name,
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name("AdministratorAccess")],
        )
        acknowledge(
            group,
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/AdministratorAccess]",
            "This group is for the account's administrators, which is what AdministratorAccess is made for: AWS keeps "
            "the policy, a copy of it would fall behind. administrator_access=false deploys without the group.",
        )
        return group

    def _access_keys(self, user: iam.User, settings: Settings) -> None:
        """The access keys, and the secret that has the current one: id and secret together, and nowhere else.

        A rotation takes three deploys, each of which leaves the key that clients use working: a second key is made,
        it becomes the one in the secret, the first one goes. Two deploys would not do: a key that was just made may
        not be known all over AWS yet when clients pick it up.
        """
        keys = {
            number: iam.AccessKey(self, f"AccessKey{number}", user=user)
            for number in (settings.access_key, settings.second_access_key)
            if number
        }
        current = keys[settings.access_key]
        secret = secretsmanager.Secret(
            self,
            "AccessKeySecret",
            secret_name=settings.access_key_secret_name,
            description="The access key of the queue's user: scripts/credentials.py brings it to where it is used",
            secret_object_value={
                # The id is not secret; it only travels with what is.
                "AccessKeyId": cdk.SecretValue.unsafe_plain_text(current.access_key_id),
                "SecretAccessKey": current.secret_access_key,
            },
        )
        acknowledge(
            secret,
            "AwsSolutions-SMG4",
            "A rotation function would change the key under clients that still use it. It is rotated by two settings "
            "and three reviewed deploys instead, with both keys working in between (README, Rotating the access key).",
        )
        description = "ARN of the secret that has the user's access key, for credentials.py"
        cdk.CfnOutput(self, "AccessKeySecretArn", value=arn_of_secret(secret), description=description)


def _operator_policy(scope: Construct, settings: Settings) -> iam.ManagedPolicy:
    """What status.py and redrive.py need: a policy of its own, attached to nobody. Who sends and processes need not be
    who decides that failed messages are tried again."""
    policy = iam.ManagedPolicy(
        scope,
        "OperatorPolicy",
        managed_policy_name=settings.prefixed(f"{settings.queue_name}-operator"),
        description="Look into the queue and its dead-letter queue, and move messages back",
        statements=[
            iam.PolicyStatement(
                sid="MoveToTheQueue",
                actions=list(REDRIVE_TARGET_ACTIONS),
                resources=[queue_arn(cdk.Stack.of(scope), settings.physical_queue_name)],
            ),
            iam.PolicyStatement(
                sid="MoveFromTheDeadLetterQueue",
                actions=list(DEAD_LETTER_ACTIONS),
                resources=[queue_arn(cdk.Stack.of(scope), settings.physical_dead_letter_queue_name)],
            ),
            iam.PolicyStatement(sid="ReadFigures", actions=list(METRICS_ACTIONS), resources=["*"]),
        ],
    )
    acknowledge(
        policy,
        "AwsSolutions-IAM5[Resource::*]",
        "CloudWatch knows no resources for reading figures: the action takes * only. It reads, and shows no content.",
    )
    return policy

"""Who may use the queue: the administrators' group, the user, and the user's rights on the queue."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.acknowledgments import acknowledge
from stacks.messaging import queue_arn
from stacks.settings import Settings

QUEUE_USER_ACTIONS = (
    "sqs:SendMessage",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
)
"""What send.py and process.py call. The batch calls are authorized by the same actions:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html"""


class IdentityStack(cdk.Stack):
    """The IAM group with AdministratorAccess, the user in it, and the policy that lets the user use the queue.

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
        for output, value, description in (
            ("UserName", user.user_name, "Name of the IAM user"),
            ("QueueUserPolicyArn", policy.managed_policy_arn, "ARN of the policy that allows use of the queue only"),
        ):
            cdk.CfnOutput(self, output, value=value, description=description)

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

"""The managed policies that a person attaches: what the scripts need, and nothing else.

Their descriptions must not change: IAM cannot change a policy's description, and CloudFormation cannot replace a policy
with a fixed name.
"""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from constructs import Construct

from hello_queue.constants import DEAD_LETTER_ACTIONS, METRICS_ACTIONS, QUEUE_USER_ACTIONS, REDRIVE_TARGET_ACTIONS
from stacks.acknowledgments import acknowledge


class QueueUserPolicy(iam.ManagedPolicy):
    """What send.py and process.py call, on the queue only."""

    def __init__(
        self, scope: Construct, construct_id: str, *, policy_name: str, queue_arn: str, user: iam.IUser
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            managed_policy_name=policy_name,
            users=[user],
            statements=[
                iam.PolicyStatement(sid="UseTheQueue", actions=list(QUEUE_USER_ACTIONS), resources=[queue_arn])
            ],
        )


class OperatorPolicy(iam.ManagedPolicy):
    """What status.py and redrive.py call. Attached to nobody: whoever sends and processes messages need not be the
    person who decides to retry failed ones."""

    def __init__(
        self, scope: Construct, construct_id: str, *, policy_name: str, queue_arn: str, dead_letter_queue_arn: str
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            managed_policy_name=policy_name,
            description="Look into the queue and its dead-letter queue, and move messages back",
            statements=[
                iam.PolicyStatement(sid="MoveToTheQueue", actions=list(REDRIVE_TARGET_ACTIONS), resources=[queue_arn]),
                iam.PolicyStatement(
                    sid="MoveFromTheDeadLetterQueue",
                    actions=list(DEAD_LETTER_ACTIONS),
                    resources=[dead_letter_queue_arn],
                ),
                iam.PolicyStatement(sid="ReadFigures", actions=list(METRICS_ACTIONS), resources=["*"]),
            ],
        )
        acknowledge(
            self,
            "AwsSolutions-IAM5[Resource::*]",
            "CloudWatch supports no resource-level permissions for reading metrics: the action takes * only. It and "
            "reading alarms are read-only, and metrics and alarms contain no message content.",
        )

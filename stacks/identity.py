"""Who may use the queue: the administrators' group, the user, its access key and its rights."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.access_key import AccessKeySecret
from stacks.acknowledgments import acknowledge
from stacks.arns import queue_arn, secret_arn
from stacks.console import ConsolePasswordSecret, RequireMfaPolicy
from stacks.names import Names
from stacks.policies import OperatorPolicy, QueueUserPolicy
from stacks.setting_groups import IdentitySettings


class IdentityStack(cdk.Stack):
    """The IAM group with AdministratorAccess, the user in it, its access key, and the policies for the scripts.

    The queue user's policy is attached to the user itself, so that the scripts keep working for a user who is no
    administrator (``administrator_access=false``).
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: IdentitySettings, names: Names, tags: dict[str, str]
    ) -> None:
        description = "IAM group and user, and the user's rights on the queue"
        super().__init__(scope, construct_id, description=description, tags=tags)
        groups: list[iam.IGroup] = []
        if settings.administrator_access:
            groups.append(Administrators(self, "Administrators", group_name=names.group))
        password = self._console_password(names) if settings.console_access else None
        user = iam.User(
            self,
            "User",
            user_name=names.user,
            groups=groups,
            password=password,
            password_reset_required=settings.password_reset_required if password else None,
        )
        queue = queue_arn(self, names.queue)
        policy = QueueUserPolicy(
            self, "QueueUserPolicy", policy_name=names.queue_user_policy, queue_arn=queue, user=user
        )
        operator = OperatorPolicy(
            self,
            "OperatorPolicy",
            policy_name=names.operator_policy,
            queue_arn=queue,
            dead_letter_queue_arn=queue_arn(self, names.dead_letter_queue),
        )
        for output, value, description in (
            ("UserName", user.user_name, "Name of the IAM user"),
            ("QueueUserPolicyArn", policy.managed_policy_arn, "ARN of the policy that allows using this queue only"),
            ("OperatorPolicyArn", operator.managed_policy_arn, "ARN of the policy for status.py and redrive.py"),
        ):
            cdk.CfnOutput(self, output, value=value, description=description)
        if settings.access_key:
            self._add_access_keys(user, settings, names)
        if settings.console_access:
            self._require_mfa(user, settings, names)

    def _add_access_keys(self, user: iam.User, settings: IdentitySettings, names: Names) -> None:
        """The access keys, and the secret that holds the current one.

        A rotation takes three deploys, each of which leaves the key that clients use working: a second key is created,
        it becomes the one in the secret, the first one is deleted. Two deploys would not do: a new key may not be known
        everywhere in AWS when clients fetch it.
        """
        keys = {
            number: iam.AccessKey(self, f"AccessKey{number}", user=user)
            for number in (settings.access_key, settings.second_access_key)
            if number
        }
        secret = AccessKeySecret(
            self, "AccessKeySecret", secret_name=names.access_key_secret, access_key=keys[settings.access_key]
        )
        description = "ARN of the secret that holds the user's access key, for credentials.py"
        cdk.CfnOutput(self, "AccessKeySecretArn", value=secret_arn(secret), description=description)

    def _console_password(self, names: Names) -> cdk.SecretValue:
        secret = ConsolePasswordSecret(
            self, "ConsolePasswordSecret", secret_name=names.console_password_secret, user_name=names.user
        )
        description = "ARN of the secret that holds the user's first password"
        cdk.CfnOutput(self, "ConsolePasswordSecretArn", value=secret_arn(secret), description=description)
        return secret.secret_value_from_json("Password")

    def _require_mfa(self, user: iam.User, settings: IdentitySettings, names: Names) -> None:
        policy = RequireMfaPolicy(
            self,
            "RequireMfaPolicy",
            policy_name=names.require_mfa_policy,
            user_name=names.user,
            password_reset_required=settings.password_reset_required,
        )
        user.add_managed_policy(policy)
        sign_in = f"https://{self.account}.signin.aws.amazon.com/console"
        cdk.CfnOutput(self, "ConsoleSignInUrl", value=sign_in, description="Where the user signs in")


class Administrators(iam.Group):
    """A group with AdministratorAccess."""

    def __init__(self, scope: Construct, construct_id: str, *, group_name: str) -> None:
        super().__init__(
            scope,
            construct_id,
            group_name=group_name,
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name("AdministratorAccess")],
        )
        acknowledge(
            self,
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/AdministratorAccess]",
            "This group is for the account's administrators, the purpose of AdministratorAccess. AWS maintains the "
            "policy; a copy would become outdated. administrator_access=false deploys without the group.",
        )

"""Signing in to the AWS console: a generated password, and MFA before anything else."""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.acknowledgments import acknowledge

_OWN_MFA = ("iam:EnableMFADevice", "iam:GetUser", "iam:ListMFADevices", "iam:ResyncMFADevice")
_OWN_DEVICE = ("iam:CreateVirtualMFADevice",)
_LISTS = ("iam:ListVirtualMFADevices",)
_OWN_PASSWORD = ("iam:ChangePassword",)
_PASSWORD_RULES = ("iam:GetAccountPasswordPolicy",)


class ConsolePasswordSecret(secretsmanager.Secret):
    """A password that Secrets Manager generates and CloudFormation reads: no setting and no template contains it."""

    def __init__(self, scope: Construct, construct_id: str, *, secret_name: str, user_name: str) -> None:
        super().__init__(
            scope,
            construct_id,
            secret_name=secret_name,
            description="The generated console password of the queue's user",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"UserName": user_name}),
                generate_string_key="Password",
                password_length=32,
                # Hard to type, or to tell apart.
                exclude_characters="\"'\\`/ lIO0",
            ),
        )
        acknowledge(
            self,
            "AwsSolutions-SMG4",
            "It is an initial password, which the user changes (password_reset_required); without an MFA device it "
            "only opens the page that sets one up. A rotation function could not know the changed password.",
        )


class RequireMfaPolicy(iam.ManagedPolicy):
    """Denies everything but setting up MFA (and the required change of the password) to a session without MFA.

    The access key keeps working. A request signed with it has no ``aws:MultiFactorAuthPresent`` in its context: only
    temporary credentials do, which is what a console session has. ``Bool`` does not match a missing key, so the denial
    affects console sessions only; ``BoolIfExists`` would deny the access key too. (It also affects sessions from
    GetSessionToken without MFA, which the scripts do not use.) Sources:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-multifactorauthpresent
    https://repost.aws/knowledge-center/mfa-iam-user-aws-cli
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, policy_name: str, user_name: str, password_reset_required: bool
    ) -> None:
        # By name, not by reference: the policy exists before the user does, so the user is never without it.
        user, device = (
            cdk.Stack.of(scope).format_arn(service="iam", region="", resource=resource, resource_name=user_name)
            for resource in ("user", "mfa")
        )
        allowed = {user: list(_OWN_MFA), device: list(_OWN_DEVICE), "*": list(_LISTS)}
        if password_reset_required:
            allowed[user] += _OWN_PASSWORD
            allowed["*"] += _PASSWORD_RULES
        without_mfa = {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
        super().__init__(
            scope,
            construct_id,
            managed_policy_name=policy_name,
            statements=[
                *(iam.PolicyStatement(actions=actions, resources=[resource]) for resource, actions in allowed.items()),
                iam.PolicyStatement(
                    sid="NothingElseWithoutMfa",
                    effect=iam.Effect.DENY,
                    not_actions=sorted(action for actions in allowed.values() for action in actions),
                    resources=["*"],
                    conditions=without_mfa,
                ),
                # An administrator could set up MFA for another user, and lock that user out.
                iam.PolicyStatement(
                    sid="NobodyElseWithoutMfa",
                    effect=iam.Effect.DENY,
                    actions=sorted(allowed[user]),
                    not_resources=[user],
                    conditions=without_mfa,
                ),
            ],
        )
        acknowledge(
            self,
            "AwsSolutions-IAM5[Resource::*]",
            "Two read-only calls without resource-level permissions (the list of virtual MFA devices, the account's "
            "password policy), and a denial, which is meant for everything.",
        )

"""Is the identity stack in IAM as it was declared? Asks IAM, not CloudFormation."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from checks.model import Check, check
from common.stacks import DeployedStack

ADMINISTRATOR_ACCESS = "AdministratorAccess"


def identity_checks(iam: Any, identity: DeployedStack, queue_arn: str) -> Iterator[Check]:
    """The group and its policy, the user, its membership, and its policy down to the last action."""
    groups = identity.physical_ids("AWS::IAM::Group")
    user = identity.physical_id("AWS::IAM::User")
    policy_arn = identity.physical_id("AWS::IAM::ManagedPolicy")
    (declared,) = identity.properties("AWS::IAM::ManagedPolicy")["PolicyDocument"]["Statement"]

    for group in groups:
        find = functools.partial(_group_policies, iam, group)
        yield check(f"policies of group {group}", [ADMINISTRATOR_ACCESS], find)
    yield check("user", user, lambda: iam.get_user(UserName=user)["User"]["UserName"])
    yield check(f"groups of {user}", groups, lambda: _groups(iam, user))
    yield check(f"policies of {user}", [_name(policy_arn)], lambda: _user_policies(iam, user))
    yield check(
        f"rights by {_name(policy_arn)}",
        [_statement({**declared, "Resource": queue_arn})],
        lambda: [_statement(statement) for statement in _statements(iam, policy_arn)],
    )


def _group_policies(iam: Any, group: str) -> list[str]:
    pages = iam.get_paginator("list_attached_group_policies").paginate(GroupName=group)
    attached = [policy["PolicyName"] for page in pages for policy in page["AttachedPolicies"]]
    return attached + list(iam.list_group_policies(GroupName=group)["PolicyNames"])


def _user_policies(iam: Any, user: str) -> list[str]:
    pages = iam.get_paginator("list_attached_user_policies").paginate(UserName=user)
    attached = [policy["PolicyName"] for page in pages for policy in page["AttachedPolicies"]]
    return attached + list(iam.list_user_policies(UserName=user)["PolicyNames"])


def _groups(iam: Any, user: str) -> list[str]:
    pages = iam.get_paginator("list_groups_for_user").paginate(UserName=user)
    return [group["GroupName"] for page in pages for group in page["Groups"]]


def _statements(iam: Any, policy_arn: str) -> list[Mapping[str, Any]]:
    version = iam.get_policy(PolicyArn=policy_arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=policy_arn, VersionId=version)["PolicyVersion"]["Document"]
    statements = document["Statement"]
    return statements if isinstance(statements, list) else [statements]


def _statement(statement: Mapping[str, Any]) -> str:
    """A statement as one line. What it has beyond effect, actions and resource shows, and so fails a comparison."""
    rest = {key: statement[key] for key in statement.keys() - {"Sid", "Effect", "Action", "Resource"}}
    actions = statement.get("Action", [])
    actions = ", ".join(sorted([actions] if isinstance(actions, str) else actions))
    return f"{statement['Effect']} {actions} on {statement.get('Resource')}" + (f" {rest}" if rest else "")


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]

"""Compare the group, the user and its policies in IAM with what the identity stack declares."""

from __future__ import annotations

import dataclasses
import functools
import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hello_queue.checks.model import Check, check
from hello_queue.deployment.stacks import DeployedStack

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

ADMINISTRATOR_ACCESS = "AdministratorAccess"

Removable = list[tuple[str, str]]
"""Names of what an identity has, each with the command that removes it."""


def identity_checks(iam: IAMClient, identity: DeployedStack) -> Iterator[Check]:
    """Check the group and its policies, the user and its groups, and every statement of the deployment's policies."""
    groups = [group.physical_id for group in identity.resources("AWS::IAM::Group")]
    user = identity.resource("AWS::IAM::User")
    policies = identity.resources("AWS::IAM::ManagedPolicy")
    name = user.physical_id

    for group in groups:
        find_policies = functools.partial(_group_policies, iam, group)
        yield _removable_check(f"policies of group {group}", [ADMINISTRATOR_ACCESS], find_policies)
    yield check("user", name, lambda: iam.get_user(UserName=name)["User"]["UserName"])
    yield _removable_check(f"groups of {name}", groups, lambda: _groups(iam, name))
    of_user = user.properties.get("ManagedPolicyArns", [])
    attached = [each for each in policies if each.properties.get("Users") or each.physical_id in of_user]
    declared = sorted(_name(policy.physical_id) for policy in attached)
    yield _removable_check(f"policies of {name}", declared, lambda: _user_policies(iam, name))
    for policy in policies:
        expected = [_statement(statement) for statement in policy.properties["PolicyDocument"]["Statement"]]
        find = functools.partial(_policy_statements, iam, policy.physical_id)
        yield check(f"statements of {_name(policy.physical_id)}", expected, find)
    yield _console_check(iam, name, wanted="LoginProfile" in user.properties)


def _console_check(iam: IAMClient, user: str, *, wanted: bool) -> Check:
    made = check(
        f"console sign-in of {user}",
        "on" if wanted else "off",
        lambda: _console_access(iam, user),
        settles=math.inf if wanted else 0,
    )
    return made if wanted else dataclasses.replace(made, fix=_command("delete-login-profile", user_name=user))


def _removable_check(name: str, expected: Sequence[str], find: Callable[[], Removable]) -> Check:
    """Compare names. What should not be there is fixed by its own commands: CloudFormation does not know of it."""
    found: Removable = []

    def names() -> list[str]:
        found.extend(find())
        return [each for each, _ in found]

    made = check(name, list(expected), names)
    missing, surplus = list(expected), []
    for each, removal in found:
        if each in missing:
            missing.remove(each)
        else:
            surplus.append(removal)
    return dataclasses.replace(made, fix="\n".join(surplus))


def _group_policies(iam: IAMClient, group: str) -> Removable:
    pages = iam.get_paginator("list_attached_group_policies").paginate(GroupName=group)
    attached = [(each["PolicyName"], each["PolicyArn"]) for page in pages for each in page["AttachedPolicies"]]
    return _policies("group", group, attached, iam.list_group_policies(GroupName=group)["PolicyNames"])


def _user_policies(iam: IAMClient, user: str) -> Removable:
    pages = iam.get_paginator("list_attached_user_policies").paginate(UserName=user)
    attached = [(each["PolicyName"], each["PolicyArn"]) for page in pages for each in page["AttachedPolicies"]]
    return _policies("user", user, sorted(attached), iam.list_user_policies(UserName=user)["PolicyNames"])


def _policies(kind: str, name: str, attached: Sequence[tuple[str, str]], inline: Sequence[str]) -> Removable:
    """The managed policies of a group or user, given by name and ARN, and its inline policies."""
    of = {f"{kind}_name": name}
    return [
        *((each, _command(f"detach-{kind}-policy", **of, policy_arn=arn)) for each, arn in attached),
        *((each, _command(f"delete-{kind}-policy", **of, policy_name=each)) for each in inline),
    ]


def _groups(iam: IAMClient, user: str) -> Removable:
    pages = iam.get_paginator("list_groups_for_user").paginate(UserName=user)
    return [
        (group["GroupName"], _command("remove-user-from-group", user_name=user, group_name=group["GroupName"]))
        for page in pages
        for group in page["Groups"]
    ]


def _command(verb: str, **options: str) -> str:
    """A command of the AWS CLI, ready for a shell."""
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    return shlex.join(["aws", "iam", verb, *words])


def _console_access(iam: IAMClient, user: str) -> str:
    try:
        iam.get_login_profile(UserName=user)
    except iam.exceptions.NoSuchEntityException:
        return "off"
    return "on"


def _policy_statements(iam: IAMClient, policy_arn: str) -> list[str]:
    version = iam.get_policy(PolicyArn=policy_arn)["Policy"]["DefaultVersionId"]
    # boto3 parses the document, which the stubs also declare as text.
    document: Any = iam.get_policy_version(PolicyArn=policy_arn, VersionId=version)["PolicyVersion"]["Document"]
    statements = document["Statement"]
    return [_statement(each) for each in (statements if isinstance(statements, list) else [statements])]


def _statement(statement: Mapping[str, Any]) -> str:
    """A statement as one line, with all of its elements but Sid, so that any difference fails the comparison."""
    rest = {key: statement[key] for key in sorted(statement.keys() - {"Sid", "Effect", "Action", "Resource"})}
    actions = statement.get("Action", "no Action")
    actions = actions if isinstance(actions, str) else ", ".join(sorted(actions))
    return f"{statement['Effect']} {actions} on {statement.get('Resource')}" + (f" {rest}" if rest else "")


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]

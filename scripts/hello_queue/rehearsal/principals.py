"""Access keys of the principals that a change gives rights to: for a while, and only in the local AWS."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from botocore.exceptions import ClientError

from hello_queue.aws.clients import AccessKey, client
from hello_queue.aws.errors import error_code

_STAND_IN = "rehearsal-stand-in"
_HOLDER = "any holder of policy "


class NoKeyError(Exception):
    """Nobody here can call as this principal. The message says why."""


@contextlib.contextmanager
def key_of(who: str) -> Iterator[AccessKey | None]:
    """An access key of a principal, which is deleted afterwards; None if there is no such principal.

    A new user without rights stands in for whoever a policy means by everybody, and for the members of a group or the
    holders of a managed policy, which it becomes.

    Args:
        who: as the review says it, such as ``user Administrator``.

    Raises:
        NoKeyError: it is a service, another account or a role that refuses.
    """
    with contextlib.ExitStack() as undo:
        try:
            key: AccessKey | None = _key(who, undo)
        except ClientError as error:
            if error_code(error) != "NoSuchEntity":
                raise
            key = None
        yield key


def _key(who: str, undo: contextlib.ExitStack) -> AccessKey | None:
    kind, _, name = who.partition(" ")
    if kind == "role":
        return _session(name)
    iam, user = client("iam"), name
    if kind != "user":
        user = _STAND_IN
        if not (kind in ("anyone", "group") or who.startswith(_HOLDER)):
            raise NoKeyError(f"nobody here can call as {who}")
        iam.create_user(UserName=user)
        undo.callback(iam.delete_user, UserName=user)
    if kind == "group":
        iam.add_user_to_group(GroupName=name, UserName=user)
        undo.callback(iam.remove_user_from_group, GroupName=name, UserName=user)
    if who.startswith(_HOLDER):
        arn = _policy(who.removeprefix(_HOLDER))
        if arn is None:
            return None
        iam.attach_user_policy(PolicyArn=arn, UserName=user)
        undo.callback(iam.detach_user_policy, PolicyArn=arn, UserName=user)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    undo.callback(iam.delete_access_key, UserName=user, AccessKeyId=made["AccessKeyId"])
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])


def _policy(name: str) -> str | None:
    for page in client("iam").get_paginator("list_policies").paginate(Scope="Local"):
        for policy in page["Policies"]:
            if policy["PolicyName"] == name:
                return policy["Arn"]
    return None


def _session(role: str) -> AccessKey:
    """The key of a session of a role, which root assumes."""
    arn = client("iam").get_role(RoleName=role)["Role"]["Arn"]
    try:
        made = client("sts").assume_role(RoleArn=arn, RoleSessionName="rehearsal")["Credentials"]
    except ClientError as error:
        raise NoKeyError(f"role {role} does not trust the account: {error_code(error)}") from None
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])

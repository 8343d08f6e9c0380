"""Findings about users, group members, access keys, passwords and trust."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hello_queue.review.comparison import Comparison
from tests.review.templates import (
    ACCESS_KEY,
    GROUP,
    USER,
    Change,
    assert_decisions,
    changed,
    compare_changes,
    finding_ids,
    golden,
    properties,
)


def a_new_member(identity: Any, messaging: Any) -> None:
    identity["Eve"] = {"Type": "AWS::IAM::User", "Properties": {"UserName": "eve", "Groups": [{"Ref": GROUP}]}}


def a_member_added_by_a_separate_resource(identity: Any, messaging: Any) -> None:
    addition = {"GroupName": {"Ref": GROUP}, "Users": ["mallory"]}
    identity["Addition"] = {"Type": "AWS::IAM::UserToGroupAddition", "Properties": addition}


def a_second_access_key(identity: Any, messaging: Any) -> None:
    identity["AccessKey2"] = copy.deepcopy(identity[ACCESS_KEY])


def a_new_serial(identity: Any, messaging: Any) -> None:
    properties(identity, ACCESS_KEY)["Serial"] = 2


def a_renamed_user(identity: Any, messaging: Any) -> None:
    """Its access key refers to it, and is replaced with it."""
    properties(identity, USER)["UserName"] = "Owner"


def console_access(identity: Any, messaging: Any) -> None:
    properties(identity, USER)["LoginProfile"] = {"Password": "{{resolve:secretsmanager:x:SecretString}}"}


def an_identity_provider(identity: Any, messaging: Any) -> None:
    identity["GitHub"] = {"Type": "AWS::IAM::OIDCProvider", "Properties": {"Url": "https://x"}}


def members_decided_at_deploy_time(identity: Any, messaging: Any) -> None:
    properties(identity, USER)["Groups"] = {"Fn::If": ["Later", ["root"], []]}


ADMINISTRATORS = (
    "group Administrators and can become administrator through a new version of a policy (iam:CreatePolicyVersion)"
)
GETS = "new-access-key: user Administrator gets access key"

CASES: list[tuple[Change, list[str]]] = [
    (a_new_member, [f"new-member: user eve joins {ADMINISTRATORS}", "new-user: user eve is new"]),
    (a_member_added_by_a_separate_resource, [f"new-member: user mallory joins {ADMINISTRATORS}"]),
    (a_second_access_key, [f"{GETS} HelloQueueIdentity/AccessKey2"]),
    (a_new_serial, [f"{GETS} HelloQueueIdentity/{ACCESS_KEY}"]),
    (
        a_renamed_user,
        [
            "new-user: user Owner is new",
            f"new-access-key: user Owner gets access key HelloQueueIdentity/{ACCESS_KEY}",
        ],
    ),
    (console_access, ["console-access: user Administrator can sign in to the AWS console"]),
    (an_identity_provider, ["new-trust: roles can trust identities of provider GitHub"]),
    (
        members_decided_at_deploy_time,
        ['new-member: user Administrator joins group {"Fn::If": ["Later", ["root"], []]}'],
    ),
]


@pytest.fixture(scope="module")
def comparisons() -> dict[str, Comparison]:
    return compare_changes(change for change, _ in CASES)


@pytest.mark.parametrize(("change", "expected"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_needs_a_decision(change: Change, expected: list[str], comparisons: dict[str, Comparison]) -> None:
    assert_decisions(comparisons[change.__name__], expected)


def test_a_password_that_need_not_be_changed() -> None:
    before = golden("console_access=true")

    def keeps_the_password(identity: Any, messaging: Any) -> None:
        properties(identity, USER)["LoginProfile"]["PasswordResetRequired"] = False

    found = finding_ids(before, changed(keeps_the_password, before))
    assert found == ["less-protection: user Administrator may keep the generated password"]


def test_a_boundary_is_removed_and_a_key_is_active_again() -> None:
    def limited(identity: Any, messaging: Any) -> None:
        properties(identity, USER)["PermissionsBoundary"] = "arn:aws:iam::aws:policy/ReadOnlyAccess"
        properties(identity, ACCESS_KEY)["Status"] = "Inactive"

    assert set(finding_ids(changed(limited, golden()), golden())) == {
        "wider-rights: user Administrator no longer has a permissions boundary",
        f"new-access-key: access key HelloQueueIdentity/{ACCESS_KEY} is active again",
    }

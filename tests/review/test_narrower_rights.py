"""What principals may no longer do: notes, since a client may fail."""

from __future__ import annotations

from typing import Any

import pytest

from hello_queue.review.findings import short
from hello_queue.review.rules_of_rights import narrower_rights
from tests.review.templates import compare_changes, document, statement, use_the_queue


def nothing_is_deleted(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Action"].remove("sqs:DeleteMessage")


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("administrator_access=false", ["user Administrator may no longer call sqs:DeleteMessage on sqs:test"]),
        ("default", []),  # the user is an administrator, and may still do so
    ],
)
def test_an_action_less(variant: str, expected: list[str]) -> None:
    findings, notes = compare_changes([nothing_is_deleted], variant)["nothing_is_deleted"]
    assert not findings
    assert [short(each.text) for each in notes if "no longer" in each.text] == expected


def user(*statements: dict[str, Any]) -> dict[str, Any]:
    policies = [{"PolicyName": "p", "PolicyDocument": document(*statements)}]
    return {"Type": "AWS::IAM::User", "Properties": {"UserName": "u", "Policies": policies}}


def role(service: str) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r", "AssumeRolePolicyDocument": document(trust)}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"U": user(statement())}, {"U": user()}, ["user u may no longer call sqs:SendMessage on any resource"]),
        (
            {"U": user(statement())},
            {"U": user(statement(Condition={"Bool": {"aws:SecureTransport": "true"}}))},
            ["user u may call sqs:SendMessage on any resource only if aws:SecureTransport is true"],
        ),
        ({"U": user(statement())}, {"V": user(statement())}, []),
        ({"U": user(statement())}, {"R": role("lambda.amazonaws.com")}, []),  # with its holder
        (
            {"R": role("lambda.amazonaws.com")},
            {"R": role("ec2.amazonaws.com")},
            ["service lambda.amazonaws.com may no longer call sts:AssumeRole on role r"],
        ),
        ({"R": role("lambda.amazonaws.com")}, {"U": user()}, []),
    ],
)
def test_what_is_lost(before: Any, after: Any, expected: list[str]) -> None:
    notes = narrower_rights({"S": {"Resources": before}}, {"S": {"Resources": after}})
    assert [each.text for each in notes] == expected

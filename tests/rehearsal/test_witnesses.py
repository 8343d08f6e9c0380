"""The requests that the review says are new, made in a local AWS as whom they are about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hello_queue.rehearsal.account import Deployed
from hello_queue.rehearsal.predictions import Prediction
from hello_queue.rehearsal.witnesses import answers
from hello_queue.review.rights.decision import Request
from tests.conftest import Aws
from tests.local_aws.environments import inside

QUEUE = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:orders"
URL = "https://127.0.0.1/111122223333/orders"
STATE = Deployed(
    {},
    {
        ("S", "Queue"): ("AWS::SQS::Queue", URL),
        ("S", "User"): ("AWS::IAM::User", "ada-of-CloudFormation"),
    },
)
NETWORK = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}


def document(action: str, resource: str = "*", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@pytest.fixture(scope="module")
def principals(aws: Aws) -> Iterator[Aws]:
    """A user, a group, a managed policy and two roles, each with one right."""
    iam = aws.client("iam")
    iam.create_user(UserName="ada-of-CloudFormation")
    iam.put_user_policy(
        UserName="ada-of-CloudFormation", PolicyName="p", PolicyDocument=document("sqs:PurgeQueue", Condition=NETWORK)
    )
    iam.create_group(GroupName="readers")
    iam.put_group_policy(GroupName="readers", PolicyName="p", PolicyDocument=document("sqs:ReceiveMessage"))
    own = document("sqs:DeleteMessage", "arn:aws:sqs:*:*:${aws:PrincipalTag/team}")
    iam.put_group_policy(GroupName="readers", PolicyName="own", PolicyDocument=own)
    made = iam.create_policy(PolicyName="sender", PolicyDocument=document("sqs:SendMessage"))["Policy"]["Arn"]
    for role, principal in (("worker", {"Service": "lambda.amazonaws.com"}), ("closed", {"AWS": "444455556666"})):
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Statement": trust}))
        iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document("sqs:DeleteMessage"))
    yield aws
    for role in ("worker", "closed"):
        iam.delete_role_policy(RoleName=role, PolicyName="p")
        iam.delete_role(RoleName=role)
    iam.delete_policy(PolicyArn=made)
    for name in ("p", "own"):
        iam.delete_group_policy(GroupName="readers", PolicyName=name)
    iam.delete_group(GroupName="readers")
    iam.delete_user_policy(UserName="ada-of-CloudFormation", PolicyName="p")
    iam.delete_user(UserName="ada-of-CloudFormation")


def asked(who: str, action: str, context: Any = (), resource: str = QUEUE, unknown: tuple[str, ...] = ()) -> Prediction:
    return Prediction("wider-rights", "", ("", ""), who, Request(action, resource, dict(context), unknown))


INSIDE, OUTSIDE = [("aws:SourceIp", ("203.0.113.7",))], [("aws:SourceIp", ("198.51.100.1",))]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (asked("user User", "sqs:PurgeQueue", INSIDE), True),
        (asked("user ada-of-CloudFormation", "sqs:PurgeQueue", OUTSIDE), False),
        (asked("user User", "sqs:PurgeQueue", [("aws:SourceIp", None)]), False),
        (asked("user User", "sqs:DeleteQueue"), False),
        (asked("user nobody", "sqs:PurgeQueue"), False),
        (asked("group readers", "sqs:ReceiveMessage", resource="${Queue.Arn}"), True),
        (asked("group readers", "sqs:SendMessage"), False),
        (asked("group readers", "sqs:DeleteMessage", [("aws:PrincipalTag/team", ("orders",))]), True),
        (asked("group readers", "sqs:DeleteMessage", [("aws:PrincipalTag/team", None)]), False),
        (asked("any holder of policy sender", "sqs:SendMessage"), True),
        (asked("any holder of policy another", "sqs:SendMessage"), False),
        (asked("anyone", "sqs:SendMessage"), False),
        (asked("role worker", "sqs:DeleteMessage"), True),
        (asked("role worker", "sqs:SendMessage"), False),
        (asked("role closed", "sqs:DeleteMessage"), "role closed does not trust the account: AccessDenied"),
        (asked("service sns.amazonaws.com", "sqs:SendMessage"), "nobody here can call as service sns.amazonaws.com"),
        (asked("user User", "iam:PassRole"), "iam has no call PassRole"),
        (asked("user User", "sqs:SendMessage", resource="${Topic.Arn}"), "the ARN of ${Topic.Arn} is not known"),
        (asked("user User", "sqs:SendMessage", unknown=("x",)), "it is not known whether this holds: x"),
        (Prediction("escalation", "", ("", ""), "user User"), "the review has no example of it"),
    ],
)
def test_a_witness_is_a_signed_call(
    principals: Aws, monkeypatch: pytest.MonkeyPatch, said: Prediction, expected: bool | str
) -> None:
    inside(principals, monkeypatch)
    assert answers([said], STATE) == [expected]


def test_nobody_is_left_behind(principals: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    inside(principals, monkeypatch)
    iam = principals.client("iam")
    before = [each["UserName"] for each in iam.list_users()["Users"]]
    more = [asked("group readers", "sqs:ReceiveMessage"), asked("anyone", "sqs:SendMessage")]
    assert answers([*more, asked("user User", "sqs:SendMessage")], STATE) == [True, False, False]
    assert [each["UserName"] for each in iam.list_users()["Users"]] == before
    assert iam.list_access_keys(UserName="ada-of-CloudFormation")["AccessKeyMetadata"] == []


def test_a_trust_policy_is_asked(principals: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The role is assumed: only then does the local AWS look at whom it trusts."""
    inside(principals, monkeypatch)
    iam = principals.client("iam")
    role = "arn:aws:iam::${AWS::AccountId}:role/trusting"
    name = {"UserName": "ada-of-CloudFormation", "PolicyName": "assume"}
    iam.put_user_policy(**name, PolicyDocument=document("sts:AssumeRole"))
    said = asked("user User", "sts:AssumeRole", resource=role)
    assert answers([said], STATE) == [False]
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName="trusting", AssumeRolePolicyDocument=json.dumps({"Statement": trust}))
    assert answers([said], STATE) == [True]
    iam.delete_role(RoleName="trusting")
    iam.delete_user_policy(**name)

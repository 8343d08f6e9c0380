"""What a user may do, by calls that the local AWS authorizes and does not carry out."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from hello_queue.aws.clients import AccessKey
from hello_queue.rehearsal.signed_calls import Right, allowed, rights_to_try
from tests.conftest import Aws
from tests.local_aws.environments import inside

ACCOUNT = "111122223333"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:test"
USER = f"arn:aws:iam::{ACCOUNT}:user/limited"


@pytest.fixture
def key(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[AccessKey]:
    """The key of a user who may purge the queue *test*, move messages from it, read users, and nothing else."""
    inside(aws, monkeypatch)
    iam = aws.client("iam")
    iam.create_user(UserName="limited")
    statements = [
        {"Effect": "Allow", "Action": ["sqs:PurgeQueue", "sqs:StartMessageMoveTask"], "Resource": QUEUE},
        {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="limited", PolicyName="p", PolicyDocument=document)
    made = iam.create_access_key(UserName="limited")["AccessKey"]
    yield AccessKey(made["AccessKeyId"], made["SecretAccessKey"])
    iam.delete_access_key(UserName="limited", AccessKeyId=made["AccessKeyId"])
    iam.delete_user_policy(UserName="limited", PolicyName="p")
    iam.delete_user(UserName="limited")


def test_exactly_what_the_policy_allows(key: AccessKey) -> None:
    tried = rights_to_try(QUEUE, f"{QUEUE}-dlq", USER, f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:a/b-abcdef")
    decided = allowed(key, tried)
    assert set(decided) == set(tried), "each one can be asked"
    assert {right for right, can in decided.items() if can} == {
        Right("sqs:PurgeQueue", QUEUE),
        Right("iam:ListUsers", "*"),
    }


def test_a_message_move_task_is_authorized_on_its_source(key: AccessKey) -> None:
    rights = [Right("sqs:StartMessageMoveTask", QUEUE), Right("sqs:StartMessageMoveTask", f"{QUEUE}-dlq")]
    assert list(allowed(key, rights).values()) == [True, False]


def test_nothing_is_carried_out(aws: Aws, key: AccessKey, deployed_queue: str) -> None:
    aws.client("sqs").send_message(QueueUrl=deployed_queue, MessageBody="stays", DelaySeconds=0)
    root = AccessKey(aws.instance.root.key_id, aws.instance.root.secret)
    purge, delete = Right("sqs:PurgeQueue", QUEUE), Right("sqs:DeleteQueue", QUEUE)
    user = Right("iam:DeleteUser", USER)
    assert allowed(key, [purge, delete]) == {purge: True, delete: False}
    assert allowed(root, [purge, delete, user]) == {purge: True, delete: True, user: True}
    (received,) = aws.client("sqs").receive_message(QueueUrl=deployed_queue, WaitTimeSeconds=5)["Messages"]
    assert received["Body"] == "stays"
    assert aws.client("iam").get_user(UserName="limited")


@pytest.mark.parametrize(
    "right",
    [
        Right("sqs:NoSuchAction", QUEUE),
        Right("nosuchservice:Get", "*"),
        Right("sqs:CancelMessageMoveTask", QUEUE),  # which queue it is about is in the handle of a task
    ],
)
def test_what_cannot_be_asked_is_left_out(key: AccessKey, right: Right) -> None:
    assert allowed(key, [right]) == {}


def test_a_wrong_secret_is_no_right(key: AccessKey) -> None:
    """Also a call that is not carried out has its signature checked."""
    wrong = AccessKey(key.key_id, "x" * 40)
    assert allowed(wrong, [Right("sqs:PurgeQueue", QUEUE)]) == {}

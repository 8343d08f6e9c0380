"""The smoke test on rights: green where the user may use the queue and no more, red where the user may more or less."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Aws, Environment

SETTINGS: dict[str, Any] = {"deployment": "rights", "administrator_access": "false", "console_access": "true"}
ACCOUNT = "111122223333"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:rights-test"
USER = "rights-Administrator"

WIDENED = [
    ("sqs:DeleteQueue", QUEUE, "sqs:DeleteQueue on rights-test"),
    ("sqs:PurgeQueue", QUEUE, "sqs:PurgeQueue on rights-test"),
    ("sqs:SetQueueAttributes", QUEUE, "sqs:SetQueueAttributes on rights-test"),
    ("sqs:SendMessage", f"{QUEUE}-dlq", "sqs:SendMessage on rights-test-dlq"),
    ("sqs:GetQueueAttributes", f"{QUEUE}-dlq", "sqs:GetQueueAttributes on rights-test-dlq"),
    ("iam:ListUsers", "*", "iam:ListUsers on *"),
    ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/{USER}", f"iam:CreateAccessKey on user/{USER}"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:*:secret:{USER}/a*", f"on {USER}/access-key"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:*:secret:{USER}/c*", f"on {USER}/console-password"),
]

CALLABLE = ("sqs:SetQueueAttributes", "sqs:GetQueueAttributes", "iam:ListUsers", "secretsmanager:GetSecretValue")
"""What has a call that does no harm, and so can be found out without the simulator."""


@pytest.fixture(scope="module")
def deployed(aws: Aws) -> Iterator[Aws]:
    aws.cdk("deploy", **SETTINGS)
    yield aws
    aws.cdk("destroy", **SETTINGS)


@pytest.fixture(scope="module")
def without_simulator(deployed: Aws) -> Iterator[Environment]:
    """The key of somebody who may do everything but use the policy simulator."""
    iam = deployed.client("iam")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"},
    ]
    iam.create_user(UserName="deployer")
    iam.put_user_policy(UserName="deployer", PolicyName="all", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    iam.delete_access_key(UserName="deployer", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="deployer", PolicyName="all")
    iam.delete_user(UserName="deployer")


def document(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def checks(aws: Aws, env: Environment | None = None) -> list[dict[str, object]]:
    command = ("--json", "--longest-delay", "0", "--deployment", "rights")
    done = aws.script("smoke_test.py", *command, check=False, env=env or {})
    found: list[dict[str, object]] = json.loads(done.stdout)["checks"]
    return found


def failed(made: list[dict[str, object]]) -> list[str]:
    return [str(check["name"]) for check in made if check["passed"] is False]


def test_the_user_may_use_the_queue_and_no_more(deployed: Aws) -> None:
    done = deployed.script("smoke_test.py", "--deployment", "rights")
    assert " 0 failed, 0 skipped" in done.stdout
    assert done.stdout.count("allowed (simulated)") == 6
    assert done.stdout.count("denied (simulated)") == len(WIDENED)


def test_the_calls_themselves_where_the_simulator_is_denied(deployed: Aws, without_simulator: Environment) -> None:
    made = checks(deployed, without_simulator)
    assert failed(made) == []
    assert sum(check["found"] == "denied (called)" for check in made) == 5
    skipped = [str(check["name"]) for check in made if "policy simulator" in str(check["found"])]
    assert "sqs:DeleteQueue on rights-test" in skipped


@pytest.mark.parametrize(("action", "resource", "name"), WIDENED)
def test_red_where_the_rights_are_wider(
    deployed: Aws, without_simulator: Environment, action: str, resource: str, name: str
) -> None:
    iam = deployed.client("iam")
    widened = document({"Effect": "Allow", "Action": action, "Resource": resource})
    iam.put_user_policy(UserName=USER, PolicyName="wider", PolicyDocument=widened)
    try:
        simulated = failed(checks(deployed))
        called = failed(checks(deployed, without_simulator)) if action in CALLABLE else None
    finally:
        iam.delete_user_policy(UserName=USER, PolicyName="wider")
    assert simulated[0] == f"policies of {USER}"
    assert len(simulated) == 2
    assert name in simulated[1]
    assert called in (None, simulated)


def test_red_where_a_right_is_missing(deployed: Aws) -> None:
    iam = deployed.client("iam")
    denied = document({"Effect": "Deny", "Action": "sqs:DeleteMessage", "Resource": "*"})
    iam.put_user_policy(UserName=USER, PolicyName="narrower", PolicyDocument=denied)
    try:
        simulated = failed(checks(deployed))
        whole = deployed.script("smoke_test.py", "--deployment", "rights", check=False)
    finally:
        iam.delete_user_policy(UserName=USER, PolicyName="narrower")
    assert simulated == [f"policies of {USER}", "sqs:DeleteMessage on rights-test"]
    assert "AccessDenied" in whole.stdout
    assert "FAILED  its deletion" in whole.stdout
    sqs = deployed.client("sqs")
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName="rights-test")["QueueUrl"])


def test_an_administrator_may_do_everything_and_it_says_why(aws: Aws) -> None:
    done = aws.script("smoke_test.py", "--longest-delay", "0")
    said = "allowed, as Administrator is in Administrators (simulated)"
    assert done.stdout.count(said) == 8
    assert "the key with a wrong secret" in done.stdout


def test_red_where_an_administrator_is_none(aws: Aws) -> None:
    """The group is there, and the user is in it, but something else takes the rights away."""
    iam = aws.client("iam")
    denied = document({"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"})
    iam.put_user_policy(UserName="Administrator", PolicyName="narrower", PolicyDocument=denied)
    try:
        done = aws.script("smoke_test.py", "--longest-delay", "0", check=False)
    finally:
        iam.delete_user_policy(UserName="Administrator", PolicyName="narrower")
    assert "FAILED  iam:ListUsers" in done.stdout


def test_a_caller_who_may_not_read_the_key(deployed: Aws) -> None:
    iam = deployed.client("iam")
    iam.create_user(UserName="reviewer")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "Resource": "*"},
    ]
    iam.put_user_policy(UserName="reviewer", PolicyName="all", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName="reviewer")["AccessKey"]
    env = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    made = checks(deployed, env)
    iam.delete_access_key(UserName="reviewer", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="reviewer", PolicyName="all")
    iam.delete_user(UserName="reviewer")
    assert failed(made) == []
    assert any(check["found"] == "skipped: you may not read it" for check in made)

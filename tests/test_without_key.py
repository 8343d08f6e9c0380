"""A deployment without an access key (access_key=0): people and machines use it by roles of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Aws, Environment

SETTINGS: dict[str, Any] = {
    "deployment": "byrole",
    "access_key": 0,
    "administrator_access": "false",
    "delay_seconds": 0,
}
PERSON = "byrole-person"
READ_ONLY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                *("cloudformation:DescribeStacks", "cloudformation:DescribeStackResources"),
                *("cloudformation:ListStackResources", "cloudformation:GetTemplate"),
                *("iam:Get*", "iam:List*", "iam:SimulatePrincipalPolicy", "iam:SimulateCustomPolicy"),
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
            ],
            "Resource": "*",
        }
    ],
}


class Roles:
    """Roles that one person can assume, by profiles of the AWS configuration, as people and `aws login` have them."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self._iam = aws.client("iam")
        self._person = self._iam.create_user(UserName=PERSON)["User"]["Arn"]
        self._key = self._iam.create_access_key(UserName=PERSON)["AccessKey"]
        self._config = folder / "config"
        self._config.write_text(
            f"[profile person]\naws_access_key_id = {self._key['AccessKeyId']}\n"
            f"aws_secret_access_key = {self._key['SecretAccessKey']}\n"
        )
        self._roles: dict[str, tuple[str, ...]] = {}

    def create(self, name: str, *policies: str, inline: Any = None) -> Environment:
        """A role with these managed policies. Returns the environment of who uses it."""
        trust = {"Effect": "Allow", "Principal": {"AWS": self._person}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = self._iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        self._roles[name] = policies
        for policy in policies:
            self._iam.attach_role_policy(RoleName=name, PolicyArn=policy)
        if inline:
            self._iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=json.dumps(inline))
        assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
        allowed = json.dumps({"Version": "2012-10-17", "Statement": [assume]})
        self._iam.put_user_policy(UserName=PERSON, PolicyName="assume", PolicyDocument=allowed)
        with self._config.open("a") as file:
            file.write(f"[profile {name}]\nrole_arn = {arn}\nsource_profile = person\n")
        return {
            "AWS_CONFIG_FILE": str(self._config),
            "AWS_PROFILE": name,
            "AWS_ACCESS_KEY_ID": None,
            "AWS_SECRET_ACCESS_KEY": None,
        }

    def delete(self) -> None:
        """The policies of the deployment can then be deleted."""
        for name, policies in self._roles.items():
            for policy in policies:
                self._iam.detach_role_policy(RoleName=name, PolicyArn=policy)


@pytest.fixture
def policies(aws: Aws) -> Iterator[dict[str, str]]:
    """The ARNs of the deployment's managed policies, by who they are for."""
    with aws.deployed(**SETTINGS):
        outputs: dict[str, str] = {}
        for stack in aws.client("cloudformation").describe_stacks()["Stacks"]:
            if stack["StackName"].startswith("byrole-"):
                outputs |= {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        assert "AccessKeySecretArn" not in outputs
        assert aws.client("iam").list_access_keys(UserName="byrole-Administrator")["AccessKeyMetadata"] == []
        yield {"user": outputs["QueueUserPolicyArn"], "operator": outputs["OperatorPolicyArn"]}


def test_everything_works_by_roles(aws: Aws, policies: dict[str, str], tmp_path: Path) -> None:
    roles = Roles(aws, tmp_path)
    worker = roles.create("byrole-worker", policies["user"])
    operator = roles.create("byrole-operator", policies["operator"])
    auditor = roles.create("byrole-auditor", policies["user"], inline=READ_ONLY)
    stranger = roles.create("byrole-stranger")
    queue = ["--queue", "byrole-test"]

    smoke = aws.script("smoke_test.py", "--deployment", "byrole", "--json", env=auditor)
    checks = json.loads(smoke.stdout)["checks"]
    assert not [each for each in checks if each["passed"] is not True]
    names = {each["name"] for each in checks}
    assert "delivery of a message" in names
    assert "access key in Secrets Manager" not in names

    assert aws.script("send.py", *queue, env=worker).stdout.startswith("Sent message ")
    (tmp_path / "lines").write_text("one\ntwo\n")
    sent = aws.script("send.py", *queue, "--file", str(tmp_path / "lines"), env=worker)
    assert sent.stdout == "2 sent, 0 failed\n"
    processed = aws.script("process.py", *queue, "--count=3", env=worker)
    assert sorted(processed.stdout.splitlines()) == ["Hello World", "one", "two"]
    assert aws.script("status.py", *queue, env=operator).returncode == 0
    shown = aws.script("redrive.py", *queue, env=operator)
    assert "the dead-letter queue is empty" in shown.stderr

    for script, arguments, role in (
        ("send.py", [], stranger),
        ("process.py", ["--count=1"], stranger),
        ("process.py", ["--count=1"], operator),
        ("redrive.py", [], worker),
    ):
        refused = aws.script(script, *queue, *arguments, env=role, check=False)
        assert refused.returncode == 1
        assert re.search("is not authorized to perform|may not call", refused.stderr)
    key = aws.script("credentials.py", "profile", "x", "--deployment", "byrole", env=auditor, check=False)
    assert key.returncode == 1
    assert "access_key" in key.stderr
    roles.delete()

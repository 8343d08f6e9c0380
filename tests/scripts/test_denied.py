"""Scripts with a key that has no rights: one line that names the denied action."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws


@pytest.fixture(scope="module")
def key_without_rights(aws: Aws) -> Iterator[dict[str, str]]:
    iam = aws.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    iam.delete_access_key(UserName="nobody", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="nobody")


@pytest.mark.parametrize(
    ("script", "arguments", "action"),
    [
        ("send.py", [], "sqs:GetQueueUrl"),
        ("send.py", ["--deployment="], "cloudformation:DescribeStacks"),
        ("process.py", [], "sqs:GetQueueUrl"),
        ("status.py", [], "sqs:GetQueueUrl"),
        ("redrive.py", ["--move", "--yes"], "sqs:GetQueueUrl"),
        ("smoke_test.py", [], "cloudformation:DescribeStacks"),
        ("credentials.py", ["export"], "cloudformation:DescribeStacks"),
        ("credentials.py", ["csv", "key.csv", "--secret", "x"], "secretsmanager:GetSecretValue"),
    ],
)
def test_denied(aws: Aws, key_without_rights: dict[str, str], script: str, arguments: list[str], action: str) -> None:
    done = aws.script(script, *arguments, check=False, env=key_without_rights)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"{script}: ")
    assert "AccessDenied" in done.stderr
    assert action in done.stderr
    assert not (ROOT / "key.csv").exists()

"""Scripts without rights: one line that names the action."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.local_aws.environments import inside
from tests.scripts.in_process import run


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
def test_denied(
    aws: Aws,
    key_without_rights: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
    arguments: list[str],
    action: str,
) -> None:
    inside(aws, monkeypatch, **key_without_rights)
    status = run(script, *arguments)
    shown = capsys.readouterr()
    assert (status, shown.out, shown.err.count("\n")) == (1, "", 1)
    assert shown.err.startswith(f"{script}: ")
    assert "AccessDenied" in shown.err
    assert action in shown.err
    assert not (ROOT / "key.csv").exists()

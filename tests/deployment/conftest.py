"""What the tests of credentials.py share."""

from __future__ import annotations

import configparser
import json
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import NO_CHANGES, Aws, Environment
from tests.scripts.in_process import run_against


@pytest.fixture
def secret(aws: Aws) -> dict[str, str]:
    """The access key in Secrets Manager."""
    return dict(zip(("AccessKeyId", "SecretAccessKey"), aws.access_key(), strict=True))


@pytest.fixture
def files(aws: Aws, tmp_path: Path) -> dict[str, str]:
    """Variables that name AWS files in a folder of this test, with the root key as the default profile."""
    credentials = tmp_path / "aws/credentials"
    credentials.parent.mkdir()
    shutil.copy(aws.instance.variables["AWS_SHARED_CREDENTIALS_FILE"], credentials)
    return {"AWS_SHARED_CREDENTIALS_FILE": str(credentials), "AWS_CONFIG_FILE": str(tmp_path / "aws/config")}


@pytest.fixture
def new_user(aws: Aws) -> Iterator[Callable[..., dict[str, str]]]:
    """Creates users that are allowed these actions. Returns their access keys, as environment variables."""
    iam = aws.client("iam")
    created: list[tuple[str, str]] = []

    def create(name: str, *actions: str) -> dict[str, str]:
        iam.create_user(UserName=name)
        statement = {"Effect": "Allow", "Action": [*actions, "sts:GetCallerIdentity"], "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="allowed", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        created.append((name, key["AccessKeyId"]))
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    yield create
    for name, key_id in created:
        iam.delete_access_key(UserName=name, AccessKeyId=key_id)
        iam.delete_user_policy(UserName=name, PolicyName="allowed")
        iam.delete_user(UserName=name)


def credentials(
    aws: Aws, *arguments: str, check: bool = True, env: Environment = NO_CHANGES
) -> subprocess.CompletedProcess[str]:
    """Run credentials.py in this process. Where a shell, a profile or a terminal runs it, it is one of its own."""
    return run_against(aws, "credentials.py", *arguments, check=check, env=env)


def store_key(aws: Aws, name: str, key: Mapping[str, str]) -> None:
    """Store an access key, given as environment variables, in a secret."""
    content = {"AccessKeyId": key["AWS_ACCESS_KEY_ID"], "SecretAccessKey": key["AWS_SECRET_ACCESS_KEY"]}
    aws.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(content))


def mode(path: str | Path) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def values(path: str, section: str) -> dict[str, str]:
    """The keys and values of a section of an AWS file."""
    parser = configparser.RawConfigParser(allow_no_value=True)
    parser.read(path)
    return dict(parser[section])


def one_line(done: subprocess.CompletedProcess[str], status: int) -> str:
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()

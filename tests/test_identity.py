"""The identity stack at work: a rotation under load, the console's MFA, and where the secrets are and are not."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import ROOT, Aws


def access_key(aws: Aws) -> tuple[str, str]:
    """The access key in Secrets Manager: id and secret."""
    content = json.loads(
        aws.client("secretsmanager").get_secret_value(SecretId="Administrator/access-key")["SecretString"]
    )
    return content["AccessKeyId"], content["SecretAccessKey"]


class Sender(threading.Thread):
    """Sends numbered messages all the time, with a key that it was given once, until it is told to move."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(daemon=True)
        self._aws = aws
        self._stopping = threading.Event()
        self.sent: list[str] = []
        self.failed: list[str] = []
        self.move()

    def move(self) -> None:
        self._sqs = self._aws.client("sqs", access_key(self._aws))

    def run(self) -> None:
        url = self._sqs.get_queue_url(QueueName="test")["QueueUrl"]
        while not self._stopping.wait(0.01):
            body = str(len(self.sent) + len(self.failed))
            try:
                self._sqs.send_message(QueueUrl=url, MessageBody=body)
                self.sent.append(body)
            except ClientError as error:
                self.failed.append(str(error))

    def sends(self, more: int) -> None:
        """Wait until so many more were sent."""
        until = time.monotonic() + 30
        wanted = len(self.sent) + more
        while len(self.sent) < wanted:
            assert time.monotonic() < until, self.failed
            time.sleep(0.01)

    def stop(self) -> None:
        self._stopping.set()
        self.join()


def receive_all(aws: Aws) -> list[str]:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="test")["QueueUrl"]
    bodies: list[str] = []
    while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in received]
    return bodies


def test_a_rotation_under_load_fails_no_call_and_loses_no_message(empty_aws: Aws) -> None:
    settings: dict[str, Any] = {"administrator_access": "false", "delay_seconds": 0, "visibility_timeout_seconds": 3600}
    iam = empty_aws.client("iam")

    def keys() -> set[str]:
        listed = iam.list_access_keys(UserName="Administrator")["AccessKeyMetadata"]
        assert {key["Status"] for key in listed} == {"Active"}
        return {key["AccessKeyId"] for key in listed}

    empty_aws.cdk("deploy", **settings)
    first = access_key(empty_aws)
    assert keys() == {first[0]}
    sender = Sender(empty_aws)
    sender.start()
    sender.sends(10)

    empty_aws.cdk("deploy", **settings, second_access_key=2)
    assert access_key(empty_aws) == first
    assert len(keys()) == 2
    sender.sends(10)

    empty_aws.cdk("deploy", **settings, access_key=2, second_access_key=1)
    second = access_key(empty_aws)
    assert second != first
    assert keys() == {first[0], second[0]}
    sender.sends(10)
    sender.move()
    sender.sends(10)

    empty_aws.cdk("deploy", **settings, access_key=2)
    assert access_key(empty_aws) == second
    assert keys() == {second[0]}
    sender.sends(10)
    sender.stop()

    assert sender.failed == []
    assert sorted(receive_all(empty_aws)) == sorted(sender.sent)
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        empty_aws.client("sts", first).get_caller_identity()


def test_a_third_key_is_never_made(empty_aws: Aws) -> None:
    """From keys 1 and 2 straight to 3 and 4: CloudFormation makes the new before it deletes the old, and is refused."""
    empty_aws.cdk("deploy", second_access_key=2)
    before = access_key(empty_aws)
    failed = empty_aws.cdk("deploy", access_key=3, second_access_key=4, check=False)
    assert failed.returncode == 1
    assert "AccessKeysPerUser" in failed.stdout + failed.stderr
    assert access_key(empty_aws) == before
    assert empty_aws.client("sts", before).get_caller_identity()


def test_the_console_needs_mfa_and_the_access_key_does_not(empty_aws: Aws) -> None:
    """A session of GetSessionToken is to IAM what a console session is: temporary, and without MFA it says so."""
    empty_aws.cdk("deploy", console_access="true")
    key = access_key(empty_aws)
    url = empty_aws.client("sqs", key).get_queue_url(QueueName="test")["QueueUrl"]
    session = empty_aws.client("sts", key).get_session_token()["Credentials"]
    without_mfa = {"aws_session_token": session["SessionToken"]}
    temporary = session["AccessKeyId"], session["SecretAccessKey"]
    iam = empty_aws.client("iam", temporary, **without_mfa)
    assert iam.list_mfa_devices(UserName="Administrator")["MFADevices"] == []
    with pytest.raises(ClientError, match="AccessDenied"):
        empty_aws.client("sqs", temporary, **without_mfa).get_queue_attributes(QueueUrl=url)
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.list_users()
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.create_access_key(UserName="Administrator")
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.deactivate_mfa_device(UserName="Administrator", SerialNumber="arn:aws:iam::111122223333:mfa/x")
    assert empty_aws.client("iam").get_login_profile(UserName="Administrator")["LoginProfile"]["PasswordResetRequired"]


class ArgumentsSeen(threading.Thread):
    """Looks at the arguments of every process, all the time."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._stopping = threading.Event()
        self.seen: set[bytes] = set()

    def run(self) -> None:
        while not self._stopping.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue

    def stop(self) -> set[bytes]:
        self._stopping.set()
        self.join()
        return self.seen


def files_below(*folders: Path) -> Iterator[Path]:
    skipped = {".venv", "node_modules", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__"}
    for folder in folders:
        for parent, names, files in os.walk(folder):
            names[:] = set(names) - skipped
            yield from (Path(parent, file) for file in files)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads arguments of processes from /proc")
def test_the_secrets_are_only_where_they_were_asked_for(empty_aws: Aws, tmp_path: Path) -> None:
    """A full run with everything on, then a search of all that it wrote, printed and passed on."""
    watcher = ArgumentsSeen()
    watcher.start()
    settings: dict[str, Any] = {"console_access": "true", "second_access_key": 2}
    runs = [
        empty_aws.cdk("synth", **settings),
        empty_aws.cdk("deploy", "--verbose", **settings),
        empty_aws.cdk("diff", **settings),
    ]
    scripts = (
        ("credentials.py", "profile", "queue"),
        ("credentials.py", "profile", "fetched", "--process"),
        ("credentials.py", "csv", str(tmp_path / "asked-for.csv")),
        ("send.py",),
        ("process.py", "--count", "1"),
        ("smoke_test.py", "--json"),
        ("smoke_test.py", "--longest-delay", "0"),
    )
    runs += [empty_aws.script(*script) for script in scripts]
    runs += [empty_aws.script("send.py", env={"AWS_PROFILE": "fetched"})]
    sm = empty_aws.client("secretsmanager")
    password = json.loads(sm.get_secret_value(SecretId="Administrator/console-password")["SecretString"])["Password"]
    found = [access_key(empty_aws)[1], password, empty_aws.instance.root.secret]
    runs += [empty_aws.cdk("destroy", **settings)]
    arguments = watcher.stop()

    printed = "".join(run.stdout + run.stderr for run in runs)
    holders: dict[str, set[Path]] = {secret: set() for secret in found}
    searched = 0
    for path in files_below(tmp_path, empty_aws.instance.directory, ROOT):
        content = path.read_bytes()
        searched += 1
        for secret in found:
            if secret.encode() in content:
                holders[secret].add(path)
    assert searched > 50
    assert len(arguments) > 10
    for secret in found:
        assert secret not in printed
        assert not any(secret.encode() in each for each in arguments)
    credentials = Path(empty_aws.instance.variables["AWS_SHARED_CREDENTIALS_FILE"])
    assert holders == {found[0]: {credentials, tmp_path / "asked-for.csv"}, found[1]: set(), found[2]: {credentials}}

"""Rotating the access key: three deploys under a client that sends all the time."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws


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
        self._sqs = self._aws.client("sqs", self._aws.access_key())

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
    first = empty_aws.access_key()
    assert keys() == {first[0]}
    sender = Sender(empty_aws)
    sender.start()
    sender.sends(10)

    empty_aws.cdk("deploy", **settings, second_access_key=2)
    assert empty_aws.access_key() == first
    assert len(keys()) == 2
    sender.sends(10)

    empty_aws.cdk("deploy", **settings, access_key=2, second_access_key=1)
    second = empty_aws.access_key()
    assert second != first
    assert keys() == {first[0], second[0]}
    sender.sends(10)
    sender.move()
    sender.sends(10)

    empty_aws.cdk("deploy", **settings, access_key=2)
    assert empty_aws.access_key() == second
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
    before = empty_aws.access_key()
    failed = empty_aws.cdk("deploy", access_key=3, second_access_key=4, check=False)
    assert failed.returncode == 1
    assert "AccessKeysPerUser" in failed.stdout + failed.stderr
    assert empty_aws.access_key() == before
    assert empty_aws.client("sts", before).get_caller_identity()

"""Rotating the access key takes three deployments, during which a client keeps sending."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws
from tests.queues import bodies


class Deployment:
    """A deployment in the shared local AWS.

    Args:
        aws: the local AWS.
        name: the deployment's name.
        settings: settings of every deploy.
    """

    def __init__(self, aws: Aws, name: str, **settings: Any) -> None:
        self.aws = aws
        self.name = name
        self._settings = {"deployment": name, "administrator_access": "false", **settings}

    def deploy(self, **settings: Any) -> None:
        self.aws.deploy(**self._settings, **settings)

    def deploy_in_vain(self, **settings: Any) -> subprocess.CompletedProcess[str]:
        """With the CDK CLI, which reports why."""
        return self.aws.cdk("deploy", check=False, **self._settings, **settings)

    def destroy(self) -> None:
        self.aws.destroy(**self._settings)

    def stored_key(self) -> tuple[str, str]:
        """The access key in Secrets Manager: id and secret."""
        secret = f"{self.name}-Administrator/access-key"
        content = json.loads(self.aws.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
        return content["AccessKeyId"], content["SecretAccessKey"]

    def active_keys(self) -> set[str]:
        listed = self.aws.client("iam").list_access_keys(UserName=f"{self.name}-Administrator")["AccessKeyMetadata"]
        assert {key["Status"] for key in listed} == {"Active"}
        return {key["AccessKeyId"] for key in listed}


@pytest.fixture
def deployment(aws: Aws) -> Iterator[Deployment]:
    made = Deployment(aws, "rotation", delay_seconds=0, visibility_timeout_seconds=3600)
    yield made
    made.destroy()


class Sender(threading.Thread):
    """Sends numbered messages without a pause, with one access key until `use_stored_key` is called again."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(daemon=True)
        self._deployment = deployment
        self._stopping = threading.Event()
        self.sent: list[str] = []
        self.failed: list[str] = []
        self.use_stored_key()

    def use_stored_key(self) -> None:
        self._sqs = self._deployment.aws.client("sqs", self._deployment.stored_key())

    def run(self) -> None:
        url = self._sqs.get_queue_url(QueueName=f"{self._deployment.name}-test")["QueueUrl"]
        while not self._stopping.wait(0.01):
            body = str(len(self.sent) + len(self.failed))
            try:
                self._sqs.send_message(QueueUrl=url, MessageBody=body)
                self.sent.append(body)
            except ClientError as error:
                self.failed.append(str(error))

    def wait_for(self, more: int) -> None:
        """Wait until this many more messages are sent."""
        until = time.monotonic() + 30
        wanted = len(self.sent) + more
        while len(self.sent) < wanted:
            assert time.monotonic() < until, self.failed
            time.sleep(0.01)

    def stop(self) -> None:
        self._stopping.set()
        self.join()


def test_a_rotation_fails_no_call_and_loses_no_message(aws: Aws, deployment: Deployment) -> None:
    deployment.deploy()
    first = deployment.stored_key()
    assert deployment.active_keys() == {first[0]}
    sender = Sender(deployment)
    sender.start()
    sender.wait_for(10)

    deployment.deploy(second_access_key=2)
    assert deployment.stored_key() == first
    assert len(deployment.active_keys()) == 2
    sender.wait_for(10)

    deployment.deploy(access_key=2, second_access_key=1)
    second = deployment.stored_key()
    assert second != first
    assert deployment.active_keys() == {first[0], second[0]}
    sender.wait_for(10)
    sender.use_stored_key()
    sender.wait_for(10)

    deployment.deploy(access_key=2)
    assert deployment.stored_key() == second
    assert deployment.active_keys() == {second[0]}
    sender.wait_for(10)
    sender.stop()

    assert sender.failed == []
    url = aws.client("sqs").get_queue_url(QueueName="rotation-test")["QueueUrl"]
    assert sorted(bodies(aws, url)) == sorted(sender.sent)
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        aws.client("sts", first).get_caller_identity()


def test_a_third_key_is_refused(aws: Aws, deployment: Deployment) -> None:
    """From keys 1 and 2 directly to 3 and 4: CloudFormation creates the new keys before it deletes the old ones."""
    deployment.deploy(second_access_key=2)
    before = deployment.stored_key()
    failed = deployment.deploy_in_vain(access_key=3, second_access_key=4)
    assert failed.returncode == 1
    assert "AccessKeysPerUser" in failed.stdout + failed.stderr
    assert deployment.stored_key() == before
    assert aws.client("sts", before).get_caller_identity()

"""Console access requires MFA; the access key does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws

SETTINGS: dict[str, Any] = {"deployment": "console", "console_access": "true"}
USER = "console-Administrator"


@pytest.fixture
def key(aws: Aws) -> Iterator[tuple[str, str]]:
    """The access key of a deployment with console access: id and secret."""
    aws.deploy(**SETTINGS)
    secret = aws.client("secretsmanager").get_secret_value(SecretId=f"{USER}/access-key")["SecretString"]
    content = json.loads(secret)
    yield content["AccessKeyId"], content["SecretAccessKey"]
    aws.destroy(**SETTINGS)


def test_the_console_requires_mfa_and_the_access_key_does_not(aws: Aws, key: tuple[str, str]) -> None:
    """To IAM, a session of GetSessionToken without MFA is like a console session without MFA."""
    url = aws.client("sqs", key).get_queue_url(QueueName="console-test")["QueueUrl"]
    session = aws.client("sts", key).get_session_token()["Credentials"]
    without_mfa = {"aws_session_token": session["SessionToken"]}
    temporary = session["AccessKeyId"], session["SecretAccessKey"]
    iam, root = aws.client("iam", temporary, **without_mfa), aws.client("iam")
    assert iam.list_mfa_devices(UserName=USER)["MFADevices"] == []
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("sqs", temporary, **without_mfa).get_queue_attributes(QueueUrl=url)
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.list_users()
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.create_access_key(UserName=USER)
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.deactivate_mfa_device(UserName=USER, SerialNumber="arn:aws:iam::111122223333:mfa/x")
    own = iam.create_virtual_mfa_device(VirtualMFADeviceName=USER)["VirtualMFADevice"]["SerialNumber"]
    root.create_user(UserName="victim")
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.enable_mfa_device(UserName="victim", SerialNumber=own, **codes)
    iam.enable_mfa_device(UserName=USER, SerialNumber=own, **codes)
    assert root.get_login_profile(UserName=USER)["LoginProfile"]["PasswordResetRequired"]
    root.deactivate_mfa_device(UserName=USER, SerialNumber=own)
    root.delete_virtual_mfa_device(SerialNumber=own)
    root.delete_user(UserName="victim")

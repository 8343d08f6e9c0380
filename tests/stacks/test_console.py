"""Console access: a password, and MFA, which the access key does not need."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws, Synth
from tests.stacks.templates import IDENTITY, only

SETTINGS: dict[str, Any] = {"deployment": "console", "console_access": "true"}
USER = "console-Administrator"


def test_console_access_is_off_by_default(synth: Synth) -> None:
    template = synth()[IDENTITY]
    assert "LoginProfile" not in str(template)
    assert "Console" not in str(template)


@pytest.mark.parametrize("reset", ["true", "false"])
def test_console_access_requires_mfa(synth: Synth, reset: str) -> None:
    template = synth(console_access="true", password_reset_required=reset)[IDENTITY]
    user = only(template, "AWS::IAM::User")
    assert user["LoginProfile"]["PasswordResetRequired"] is (reset == "true")
    (attached,) = user["ManagedPolicyArns"]
    *allows, deny, deny_for_others = template["Resources"][attached["Ref"]]["Properties"]["PolicyDocument"]["Statement"]
    assert deny["Effect"] == "Deny"
    assert deny["Resource"] == "*"
    # Bool, not BoolIfExists: a request signed with the access key has no such key, and must be allowed.
    assert deny["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    assert deny_for_others["Effect"] == "Deny"
    assert deny_for_others["Condition"] == deny["Condition"]
    assert str(deny_for_others["NotResource"]).count("user/Administrator") == 1
    assert "iam:EnableMFADevice" in deny_for_others["Action"]
    assert ("iam:ChangePassword" in deny["NotAction"]) is (reset == "true")
    allowed = [allow["Action"] for allow in allows]
    assert sorted(deny["NotAction"]) == sorted(
        action for actions in allowed for action in ([actions] if isinstance(actions, str) else actions)
    )


@pytest.fixture
def key(aws: Aws) -> Iterator[tuple[str, str]]:
    """The access key of a deployment with console access: id and secret."""
    with aws.deployed(**SETTINGS):
        secret = aws.client("secretsmanager").get_secret_value(SecretId=f"{USER}/access-key")["SecretString"]
        content = json.loads(secret)
        yield content["AccessKeyId"], content["SecretAccessKey"]


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

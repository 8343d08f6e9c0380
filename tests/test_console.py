"""Console access at work: MFA first for a session, and the access key as before."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws


def test_the_console_needs_mfa_and_the_access_key_does_not(empty_aws: Aws) -> None:
    """A session of GetSessionToken is to IAM what a console session is: temporary, and without MFA it says so."""
    empty_aws.cdk("deploy", console_access="true")
    key = empty_aws.access_key()
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
    own = iam.create_virtual_mfa_device(VirtualMFADeviceName="Administrator")["VirtualMFADevice"]["SerialNumber"]
    empty_aws.client("iam").create_user(UserName="victim")
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.enable_mfa_device(UserName="victim", SerialNumber=own, **codes)
    iam.enable_mfa_device(UserName="Administrator", SerialNumber=own, **codes)
    assert empty_aws.client("iam").get_login_profile(UserName="Administrator")["LoginProfile"]["PasswordResetRequired"]

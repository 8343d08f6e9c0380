"""Credentials that are replaced while calls are under way never fail a call."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from hello_queue.sqs.transports import open_transport
from tests.conftest import Aws
from tests.local_aws.environments import inside

# Each run hands out another access key and makes the one before inactive, before its successor is known.
PROVIDER = """
import datetime, json, sys
import boto3
iam = boto3.Session(profile_name="root").client("iam")
for key in iam.list_access_keys(UserName="rotating")["AccessKeyMetadata"]:
    iam.update_access_key(UserName="rotating", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    iam.delete_access_key(UserName="rotating", AccessKeyId=key["AccessKeyId"])
key = iam.create_access_key(UserName="rotating")["AccessKey"]
with open(sys.argv[1], "a") as log:
    log.write("rotated\\n")
expiration = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=1)
print(json.dumps({
    "Version": 1, "AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"],
    "Expiration": expiration.isoformat(),
}))
"""


@pytest.mark.parametrize("rotations", [3, pytest.param(10, marks=pytest.mark.soak)])
def test_no_call_fails(aws: Aws, queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rotations: int) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="rotating")
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}'
    iam.put_user_policy(UserName="rotating", PolicyName="all", PolicyDocument=policy)
    log, provider = tmp_path / "log", tmp_path / "provider.py"
    log.touch()
    provider.write_text(PROVIDER)
    root = aws.instance.root
    credentials, config = tmp_path / "credentials", tmp_path / "config"
    credentials.write_text(f"[root]\naws_access_key_id = {root.key_id}\naws_secret_access_key = {root.secret}\n")
    config.write_text(f"[default]\ncredential_process = {sys.executable} {provider} {log}\n[profile root]\n")
    inside(aws, monkeypatch, AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE=str(credentials))

    def rotated() -> int:
        return len(log.read_text().splitlines())

    async def main() -> int:
        transport = open_transport(queue, 4)
        calls = 0

        async def work() -> None:
            nonlocal calls
            while rotated() <= rotations:
                await transport.call("GetQueueAttributes", {"QueueUrl": queue, "AttributeNames": ["QueueArn"]})
                calls += 1

        await asyncio.gather(*(work() for _ in range(4)))
        await transport.close()
        return calls

    try:
        assert asyncio.run(main()) > rotations
    finally:
        for key in iam.list_access_keys(UserName="rotating")["AccessKeyMetadata"]:
            iam.delete_access_key(UserName="rotating", AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName="rotating", PolicyName="all")
        iam.delete_user(UserName="rotating")

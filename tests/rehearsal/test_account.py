"""What exists in the local AWS, and the workers of a deployment."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from hello_queue.rehearsal.account import existing, workers_paused
from tests.conftest import Aws
from tests.local_aws.environments import inside


def test_running_workers_are_paused_and_no_others_begin(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, queue: str, deployed_queue: str
) -> None:
    inside(aws, monkeypatch)
    functions, code = aws.client("lambda"), io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("worker.py", "def main(event, context): pass")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Statement": trust})
    role = aws.client("iam").create_role(RoleName="rehearsed", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    options = {"Runtime": "python3.13", "Handler": "worker.main", "Code": {"ZipFile": code.getvalue()}}
    functions.create_function(FunctionName="rehearsed", Role=role, **options)
    mappings = []
    for url, enabled in ((queue, True), (deployed_queue, False)):
        arn = f"arn:aws:sqs:us-east-1:111122223333:{url.rpartition('/')[2]}"
        made = functions.create_event_source_mapping(FunctionName="rehearsed", EventSourceArn=arn, Enabled=enabled)
        mappings.append(made["UUID"])

    def states() -> list[str]:
        return [functions.get_event_source_mapping(UUID=each)["State"] for each in mappings]

    assert states() == ["Enabled", "Disabled"]
    with workers_paused():
        assert states() == ["Disabled", "Disabled"]
    assert states() == ["Enabled", "Disabled"]
    for each in mappings:
        functions.delete_event_source_mapping(UUID=each)
    functions.delete_function(FunctionName="rehearsed")
    aws.client("iam").delete_role(RoleName="rehearsed")


def test_a_key_that_is_scheduled_for_deletion_is_deleted(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """As CloudFormation leaves it."""
    inside(aws, monkeypatch)
    before, keys = existing(), aws.client("kms")
    key = keys.create_key()["KeyMetadata"]
    assert existing() == {*before, ("kms key", key["Arn"])}
    keys.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    assert existing() == before

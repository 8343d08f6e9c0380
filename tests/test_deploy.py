"""`cdk deploy` and `cdk destroy` on the local AWS: what IAM and SQS have afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws


def queue_attributes(aws: Aws, name: str) -> dict[str, str]:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes


def existing(aws: Aws) -> dict[str, list[str]]:
    """All users, groups, policies and queues in the account."""
    iam = aws.client("iam")
    return {
        "users": [user["UserName"] for user in iam.list_users()["Users"]],
        "groups": [group["GroupName"] for group in iam.list_groups()["Groups"]],
        "policies": [policy["PolicyName"] for policy in iam.list_policies(Scope="Local")["Policies"]],
        "queues": aws.client("sqs").list_queues().get("QueueUrls", []),
    }


def status(aws: Aws, stack: str) -> str:
    (described,) = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return str(described["StackStatus"])


def test_the_user_is_a_member_of_administrators(aws: Aws) -> None:
    iam = aws.client("iam")
    policies = iam.list_attached_group_policies(GroupName="Administrators")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in policies] == ["arn:aws:iam::aws:policy/AdministratorAccess"]
    assert [user["UserName"] for user in iam.get_group(GroupName="Administrators")["Users"]] == ["Administrator"]


def test_the_queue_is_as_declared(aws: Aws) -> None:
    attributes = queue_attributes(aws, "test")
    assert attributes["DelaySeconds"] == "5"
    assert attributes["SqsManagedSseEnabled"] == "true"
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == queue_attributes(aws, "test-dlq")["QueueArn"]
    tags = aws.client("sqs").list_queue_tags(QueueUrl=aws.client("sqs").get_queue_url(QueueName="test")["QueueUrl"])
    assert {"Project": "hello-queue", "Deployment": "default"}.items() <= tags["Tags"].items()


def test_plain_http_is_denied(aws: Aws) -> None:
    over_tls = aws.client("sqs")
    over_http = aws.client("sqs", endpoint_url=over_tls.meta.endpoint_url.replace("https://", "http://"))
    url = over_tls.get_queue_url(QueueName="test")["QueueUrl"]
    over_tls.get_queue_attributes(QueueUrl=url)
    with pytest.raises(ClientError, match="AccessDenied"):
        over_http.get_queue_attributes(QueueUrl=url)
    with pytest.raises(ClientError, match="AccessDenied"):
        over_http.purge_queue(QueueUrl=url)


def test_the_life_cycle_of_a_deployment(empty_aws: Aws) -> None:
    """Deploy, deploy again, update in place, destroy. Nothing is left."""
    before = existing(empty_aws)
    empty_aws.cdk("deploy", run_app=True)
    created_at = queue_attributes(empty_aws, "test")["CreatedTimestamp"]
    assert existing(empty_aws)["users"] == ["Administrator"]

    again = empty_aws.cdk("deploy")
    assert (again.stdout + again.stderr).count("(no changes)") == 2

    sqs = empty_aws.client("sqs")
    url = sqs.get_queue_url(QueueName="test")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="still here", DelaySeconds=0)
    difference = empty_aws.cdk("diff", delay_seconds=10)
    assert "DelaySeconds" in difference.stdout + difference.stderr
    empty_aws.cdk("deploy", delay_seconds=10)
    changed = queue_attributes(empty_aws, "test")
    assert changed["DelaySeconds"] == "10"
    assert changed["CreatedTimestamp"] == created_at
    (kept,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert kept["Body"] == "still here"

    empty_aws.cdk("destroy")
    assert existing(empty_aws) == before


def test_two_deployments_side_by_side(aws: Aws) -> None:
    """The second one, without administrators, leaves the first one unchanged, and leaves nothing behind."""
    before = existing(aws)
    settings: dict[str, Any] = {"deployment": "side", "administrator_access": "false", "access_key": 0}
    aws.deploy(**settings)
    both = existing(aws)
    assert set(both["users"]) - set(before["users"]) == {"side-Administrator"}
    assert both["groups"] == before["groups"]
    assert queue_attributes(aws, "side-test")["DelaySeconds"] == "5"
    without_a_key = aws.script("smoke_test.py", "--deployment", "side", "--longest-delay", "0")
    assert " 0 failed" in without_a_key.stdout
    assert "has no access key" in aws.script("credentials.py", "export", "--deployment", "side", check=False).stderr
    aws.destroy(**settings)
    assert existing(aws) == before


def refused(call: Any, **parameters: Any) -> bool:
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
    return False


def test_removing_the_user_from_administrators(empty_aws: Aws) -> None:
    """administrator_access=false on an existing deployment: the scripts still work, everything else is refused."""
    empty_aws.deploy()
    iam = empty_aws.client("iam")
    created = iam.create_access_key(UserName="Administrator")["AccessKey"]
    key = created["AccessKeyId"], created["SecretAccessKey"]
    by_user = {"AWS_ACCESS_KEY_ID": key[0], "AWS_SECRET_ACCESS_KEY": key[1]}
    assert not refused(empty_aws.client("iam", key).list_users)

    empty_aws.deploy(administrator_access="false")
    assert existing(empty_aws)["groups"] == []
    empty_aws.script("send.py", "--author", "Ada", env=by_user)
    assert "Hello World (author: Ada)" in empty_aws.script("process.py", "--count", "1", env=by_user).stdout

    root, user = empty_aws.client("sqs"), empty_aws.client("sqs", key)
    url = root.get_queue_url(QueueName="test")["QueueUrl"]
    other = root.create_queue(QueueName="other")["QueueUrl"]
    user.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "a batch is allowed"}])
    assert refused(user.purge_queue, QueueUrl=url)
    assert refused(user.set_queue_attributes, QueueUrl=url, Attributes={"DelaySeconds": "0"})
    assert refused(user.delete_queue, QueueUrl=url)
    assert refused(user.send_message, QueueUrl=other, MessageBody="x")
    assert refused(user.send_message_batch, QueueUrl=other, Entries=[{"Id": "1", "MessageBody": "x"}])
    assert refused(user.receive_message, QueueUrl=other)
    assert refused(empty_aws.client("iam", key).list_users)
    wrong = empty_aws.client("sqs", (key[0], "wrong"))
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        wrong.get_queue_url(QueueName="test")


def test_a_deploy_that_fails_leaves_nothing(empty_aws: Aws) -> None:
    """The user's name is taken, so CloudFormation rolls the stack back."""
    iam = empty_aws.client("iam")
    iam.create_user(UserName="Administrator")
    before = existing(empty_aws)
    failed = empty_aws.cdk("deploy", "--exclusively", check=False)
    assert failed.returncode == 1
    assert "already exists" in failed.stdout + failed.stderr
    assert status(empty_aws, "HelloQueueIdentity") == "ROLLBACK_COMPLETE"
    stderr = empty_aws.script("credentials.py", "export", check=False).stderr
    assert "the stack HelloQueueIdentity is ROLLBACK_COMPLETE: its deployment failed" in stderr
    after = existing(empty_aws)
    assert {**after, "queues": []} == {**before, "queues": []}

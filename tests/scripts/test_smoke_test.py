"""The smoke test is green on what was deployed, red on what was changed since, and harmless to a queue in use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import Aws


def failures(aws: Aws) -> list[str]:
    """The names of the checks that fail. Sends no message."""
    done = aws.script("smoke_test.py", "--json", "--longest-delay", "0", check=False)
    report = json.loads(done.stdout)
    failed = [check["name"] for check in report["checks"] if check["passed"] is False]
    assert (done.returncode == 1) == bool(failed) == (not report["passed"])
    return failed


def queue_url(aws: Aws, name: str = "test") -> str:
    return str(aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])


def test_green_on_what_was_deployed(aws: Aws, deployed_queue: str) -> None:
    done = aws.script("smoke_test.py")
    assert "FAILED" not in done.stdout
    assert " 0 failed" in done.stdout
    assert "delivered after 5." in done.stdout
    assert "sent a message" in done.stderr
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts += ["ApproximateNumberOfMessagesDelayed"]
    left = aws.client("sqs").get_queue_attributes(QueueUrl=deployed_queue, AttributeNames=counts)["Attributes"]
    assert set(left.values()) == {"0"}


@contextmanager
def changed_attribute(aws: Aws, queue: str, name: str, value: str) -> Iterator[None]:
    sqs, url = aws.client("sqs"), queue_url(aws, queue)
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"].get(name, "")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={name: value})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before})


@pytest.mark.parametrize(
    ("queue", "attribute", "value", "failed"),
    [
        ("test", "DelaySeconds", "0", ["test: DelaySeconds"]),
        ("test", "VisibilityTimeout", "31", ["test: VisibilityTimeout"]),
        ("test", "MessageRetentionPeriod", "60", ["test: MessageRetentionPeriod"]),
        ("test", "SqsManagedSseEnabled", "false", ["test: encrypted (SqsManagedSseEnabled)"]),
        ("test", "RedrivePolicy", "", ["test: redrive"]),
        ("test", "Policy", "", ["test: policy denies plain http", "test: a call over plain http"]),
        ("test-dlq", "DelaySeconds", "1", ["test-dlq: DelaySeconds"]),
        ("test-dlq", "MessageRetentionPeriod", "60", ["test-dlq: MessageRetentionPeriod"]),
        ("test-dlq", "RedriveAllowPolicy", '{"redrivePermission": "allowAll"}', ["test-dlq: redrive allowed"]),
        ("test-dlq", "Policy", "", ["test-dlq: policy denies plain http", "test-dlq: a call over plain http"]),
    ],
)
def test_red_where_a_queue_was_changed(aws: Aws, queue: str, attribute: str, value: str, failed: list[str]) -> None:
    with changed_attribute(aws, queue, attribute, value):
        assert failures(aws) == failed
    assert failures(aws) == []


def test_red_where_the_tls_policy_covers_less(aws: Aws) -> None:
    sqs, url = aws.client("sqs"), queue_url(aws)
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
    policy["Statement"][0]["Action"] = "sqs:SendMessage"
    with changed_attribute(aws, "test", "Policy", json.dumps(policy)):
        assert failures(aws) == ["test: policy denies plain http", "test: a call over plain http"]


ADMINISTRATOR_ACCESS = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY_ACCESS = "arn:aws:iam::aws:policy/ReadOnlyAccess"
QUEUE_USER = "arn:aws:iam::111122223333:policy/test-queue-user"
MEMBERSHIP = {"GroupName": "Administrators", "UserName": "Administrator"}


@pytest.mark.parametrize(
    ("change", "undo", "parameters", "failed", "rights_lost"),
    [
        ("remove_user_from_group", "add_user_to_group", MEMBERSHIP, "groups of Administrator", 8),
        (
            "detach_group_policy",
            "attach_group_policy",
            {"GroupName": "Administrators", "PolicyArn": ADMINISTRATOR_ACCESS},
            "policies of group Administrators",
            8,
        ),
        (
            "attach_group_policy",
            "detach_group_policy",
            {"GroupName": "Administrators", "PolicyArn": READ_ONLY_ACCESS},
            "policies of group Administrators",
            0,
        ),
        (
            "detach_user_policy",
            "attach_user_policy",
            {"UserName": "Administrator", "PolicyArn": QUEUE_USER},
            "policies of Administrator",
            0,
        ),
        (
            "attach_user_policy",
            "detach_user_policy",
            {"UserName": "Administrator", "PolicyArn": READ_ONLY_ACCESS},
            "policies of Administrator",
            0,
        ),
        (
            "create_login_profile",
            "delete_login_profile",
            {"UserName": "Administrator"},
            "console sign-in of Administrator",
            0,
        ),
    ],
)
def test_red_where_an_identity_was_changed(
    aws: Aws, change: str, undo: str, parameters: dict[str, str], failed: str, rights_lost: int
) -> None:
    iam = aws.client("iam")
    password = {"Password": "Not-a-secret-1"} if change == "create_login_profile" else {}
    getattr(iam, change)(**parameters, **password)
    try:
        first, *lost = failures(aws)
    finally:
        getattr(iam, undo)(**parameters)
    assert first == failed
    assert len(lost) == rights_lost
    assert failures(aws) == []


def test_red_where_the_users_policy_was_widened(aws: Aws) -> None:
    iam = aws.client("iam")
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    before = iam.get_policy(PolicyArn=QUEUE_USER)["Policy"]["DefaultVersionId"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    wide = iam.create_policy_version(PolicyArn=QUEUE_USER, PolicyDocument=document, SetAsDefault=True)["PolicyVersion"]
    assert failures(aws) == ["rights by test-queue-user"]
    iam.create_policy_version(
        PolicyArn=QUEUE_USER,
        PolicyDocument=json.dumps(
            iam.get_policy_version(PolicyArn=QUEUE_USER, VersionId=before)["PolicyVersion"]["Document"]
        ),
        SetAsDefault=True,
    )
    iam.delete_policy_version(PolicyArn=QUEUE_USER, VersionId=wide["VersionId"])
    assert failures(aws) == []


def test_a_queue_in_use_keeps_its_messages(aws: Aws, deployed_queue: str) -> None:
    """It finds its own message among 40 of others, deletes that one, and gives the others back at once."""
    sqs, url = aws.client("sqs"), deployed_queue
    for number in range(40):
        sqs.send_message(QueueUrl=url, MessageBody=f"theirs {number}", DelaySeconds=0)
    done = aws.script("smoke_test.py")
    assert " 0 failed" in done.stdout
    taken: dict[str, int] = {}
    while len(taken) < 40:
        received = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["ApproximateReceiveCount"]
        )["Messages"]
        for message in received:
            taken[message["Body"]] = int(message["Attributes"]["ApproximateReceiveCount"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert set(taken) == {f"theirs {number}" for number in range(40)}
    assert max(taken.values()) <= 2, "each was received by the smoke test once at the most"
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_message_that_comes_too_early_is_red(aws: Aws) -> None:
    """The queue delays by less than was declared: seen in the attribute, and in the delivery itself."""
    with changed_attribute(aws, "test", "DelaySeconds", "1"):
        done = aws.script("smoke_test.py", "--json", check=False)
    failed = [check for check in json.loads(done.stdout)["checks"] if check["passed"] is False]
    assert [check["name"] for check in failed] == ["test: DelaySeconds", "a message"]
    assert "delivered after 1." in failed[1]["found"]


def test_a_message_that_never_comes_is_red(aws: Aws) -> None:
    with changed_attribute(aws, "test", "DelaySeconds", "900"):
        done = aws.script("smoke_test.py", "--patience", "1", check=False)
    assert done.returncode == 1
    assert "not seen for 6 s" in done.stdout
    aws.client("sqs").purge_queue(QueueUrl=queue_url(aws))


def test_what_cannot_be_checked_is_red_and_the_rest_is_checked(aws: Aws) -> None:
    """The user's key does not work any more: that is one red line, in a whole table."""
    iam, (key_id, _) = aws.client("iam"), aws.access_key()
    iam.update_access_key(UserName="Administrator", AccessKeyId=key_id, Status="Inactive")
    try:
        done = aws.script("smoke_test.py", check=False)
    finally:
        iam.update_access_key(UserName="Administrator", AccessKeyId=key_id, Status="Active")
    assert done.returncode == 1
    assert "FAILED  delivery as a whole" in done.stdout
    assert "ok      test: DelaySeconds" in done.stdout


def test_messages_with_one_receive_are_not_looked_at(empty_aws: Aws) -> None:
    empty_aws.cdk("deploy", max_receive_count=1, delay_seconds=0)
    sqs = empty_aws.client("sqs")
    url = queue_url(empty_aws)
    sqs.send_message(QueueUrl=url, MessageBody="theirs")
    assert "would cost it its only receive" in empty_aws.script("smoke_test.py").stdout
    (theirs,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert theirs["Body"] == "theirs"


def test_what_is_not_deployed(aws: Aws) -> None:
    done = aws.script("smoke_test.py", "--deployment", "nope", check=False)
    assert done.returncode == 1
    assert "there is no stack nope-HelloQueueMessaging in us-east-1" in done.stderr
    assert done.stderr.count("\n") == 1

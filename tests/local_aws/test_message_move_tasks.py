"""Message move tasks of the local AWS: what they move, what they refuse, and who may use them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws
from tests.queues import bodies, fill, redrive_policy

NO_QUEUE = "arn:aws:sqs:us-east-1:111122223333:no-such-queue"


@dataclass(frozen=True)
class Queues:
    """A queue, its dead-letter queue and a third one: URLs and ARNs."""

    url: str
    dead: str
    other: str
    arn: str
    dead_arn: str
    other_arn: str


@pytest.fixture
def queues(aws: Aws) -> Iterator[Queues]:
    sqs = aws.client("sqs")
    prefix = f"t-{time.time_ns()}"
    dead, other = (sqs.create_queue(QueueName=f"{prefix}-{name}")["QueueUrl"] for name in ("dead", "other"))
    attributes = {"RedrivePolicy": redrive_policy(aws, dead, 1), "VisibilityTimeout": "0"}
    url = sqs.create_queue(QueueName=f"{prefix}-queue", Attributes=attributes)["QueueUrl"]
    arns = (f"arn:aws:sqs:us-east-1:111122223333:{each.rpartition('/')[2]}" for each in (url, dead, other))
    yield Queues(url, dead, other, *arns)
    for each in (url, dead, other):
        sqs.delete_queue(QueueUrl=each)


def fail(aws: Aws, queues: Queues, *texts: str) -> None:
    """Have messages with these bodies moved to the dead-letter queue by their receive counts."""
    fill(aws, queues.url, *texts)
    for _ in range(2):
        aws.client("sqs").receive_message(QueueUrl=queues.url, MaxNumberOfMessages=10)


def finished(sqs: Any, queues: Queues) -> dict[str, Any]:
    """The newest task, when it has ended."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        task: dict[str, Any] = sqs.list_message_move_tasks(SourceArn=queues.dead_arn)["Results"][0]
        if task["Status"] not in ("RUNNING", "CANCELLING"):
            return task
        time.sleep(0.02)
    pytest.fail(f"the task is still {task['Status']}")


def run(sqs: Any, queues: Queues, **parameters: Any) -> dict[str, Any]:
    sqs.start_message_move_task(SourceArn=queues.dead_arn, **parameters)
    return finished(sqs, queues)


def refusal(call: Any, **parameters: Any) -> tuple[str, int, str]:
    """The code, status and message of the error."""
    with pytest.raises(ClientError) as raised:
        call(**parameters)
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def test_messages_move_to_the_queue_they_came_from(aws: Aws, queues: Queues) -> None:
    fail(aws, queues, "a", "b", "c")
    task = run(aws.client("sqs"), queues)
    assert task["Status"] == "COMPLETED"
    assert (task["ApproximateNumberOfMessagesMoved"], task["ApproximateNumberOfMessagesToMove"]) == (3, 3)
    assert task["SourceArn"] == queues.dead_arn
    assert time.time() * 1000 - task["StartedTimestamp"] < 60_000
    assert "TaskHandle" not in task, "it is listed while the task is RUNNING"
    assert bodies(aws, queues.dead) == []
    aws.client("sqs").set_queue_attributes(QueueUrl=queues.url, Attributes={"VisibilityTimeout": "30"})
    assert bodies(aws, queues.url) == ["a", "b", "c"], "their receive counts began again"


def test_a_message_without_a_source_needs_a_destination(aws: Aws, queues: Queues) -> None:
    fill(aws, queues.dead, "a")
    task = run(aws.client("sqs"), queues)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    task = run(aws.client("sqs"), queues, DestinationArn=queues.other_arn)
    assert (task["Status"], task["DestinationArn"]) == ("COMPLETED", queues.other_arn)
    assert bodies(aws, queues.other) == ["a"]


def test_the_destination_is_deleted_meanwhile(aws: Aws, queues: Queues) -> None:
    sqs = aws.client("sqs")
    fill(aws, queues.dead, *"abcdef")
    sqs.start_message_move_task(
        SourceArn=queues.dead_arn, DestinationArn=queues.other_arn, MaxNumberOfMessagesPerSecond=5
    )
    sqs.delete_queue(QueueUrl=queues.other)
    task = finished(sqs, queues)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "AWS.SimpleQueueService.NonExistentQueue")
    sqs.create_queue(QueueName=queues.other.rpartition("/")[2])


def test_one_task_at_a_time_and_it_can_be_cancelled(aws: Aws, queues: Queues) -> None:
    sqs = aws.client("sqs")
    fill(aws, queues.dead, *[str(number) for number in range(50)])
    start = {"SourceArn": queues.dead_arn, "DestinationArn": queues.other_arn, "MaxNumberOfMessagesPerSecond": 10}
    handle = sqs.start_message_move_task(**start)["TaskHandle"]
    code, _, message = refusal(sqs.start_message_move_task, **start)
    assert (code, message[:32]) == ("InvalidParameterValue", "There is already a task running.")
    (listed,) = sqs.list_message_move_tasks(SourceArn=queues.dead_arn, MaxResults=10)["Results"]
    assert (listed["TaskHandle"], listed["MaxNumberOfMessagesPerSecond"]) == (handle, 10)
    sqs.cancel_message_move_task(TaskHandle=handle)
    task = finished(sqs, queues)
    assert task["Status"] == "CANCELLED"
    moved, left = bodies(aws, queues.other), bodies(aws, queues.dead)
    assert len(moved) == task["ApproximateNumberOfMessagesMoved"] < 50
    assert len(moved) + len(left) == 50
    assert refusal(sqs.cancel_message_move_task, TaskHandle=handle)[0] == "InvalidParameterValue"


def test_the_rate_is_limited(aws: Aws, queues: Queues) -> None:
    fill(aws, queues.dead, *"abcdef")
    began = time.monotonic()
    run(aws.client("sqs"), queues, DestinationArn=queues.other_arn, MaxNumberOfMessagesPerSecond=5)
    assert time.monotonic() - began > 1


@pytest.mark.parametrize(
    ("parameters", "code", "status", "message"),
    [
        ({"SourceArn": NO_QUEUE}, "ResourceNotFoundException", 404, "the SourceArn parameter doesn't exist"),
        ({"DestinationArn": NO_QUEUE}, "ResourceNotFoundException", 404, "the DestinationArn parameter doesn't exist"),
        ({"MaxNumberOfMessagesPerSecond": 0}, "InvalidParameterValue", 400, "Value 0 for parameter MaxNumber"),
        ({"MaxNumberOfMessagesPerSecond": 501}, "InvalidParameterValue", 400, "Value 501 for parameter MaxNumber"),
        ({"SourceArn": "other"}, "InvalidParameterValue", 400, "must be configured as a Dead Letter Queue."),
    ],
)
def test_invalid_parameters(
    aws: Aws, queues: Queues, parameters: dict[str, Any], code: str, status: int, message: str
) -> None:
    given = {"SourceArn": queues.dead_arn, **parameters}
    if given["SourceArn"] == "other":
        given["SourceArn"] = queues.other_arn
    found = refusal(aws.client("sqs").start_message_move_task, **given)
    assert found[:2] == (code, status)
    assert message in found[2]


def test_an_unknown_task(aws: Aws) -> None:
    assert refusal(aws.client("sqs").cancel_message_move_task, TaskHandle="eA==")[:2] == (
        "ResourceNotFoundException",
        404,
    )


def test_the_queues_of_a_dead_letter_queue_are_listed(aws: Aws, queues: Queues) -> None:
    sqs = aws.client("sqs")
    assert sqs.list_dead_letter_source_queues(QueueUrl=queues.dead)["queueUrls"] == [queues.url]
    assert sqs.list_dead_letter_source_queues(QueueUrl=queues.url)["queueUrls"] == []


@pytest.fixture
def user(aws: Aws) -> Iterator[str]:
    iam, name = aws.client("iam"), f"operator-{time.time_ns()}"
    iam.create_user(UserName=name)
    yield name
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="rights")
    iam.delete_user(UserName=name)


ON_SOURCE = ["StartMessageMoveTask", "ListMessageMoveTasks", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"]


def client_with(aws: Aws, user: str, *rights: tuple[list[str], str], **options: Any) -> Any:
    """An SQS client of the user with these actions on these queues."""
    iam = aws.client("iam")
    statements = [
        {"Effect": "Allow", "Action": [f"sqs:{action}" for action in actions], "Resource": arn}
        for actions, arn in rights
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName=user, PolicyName="rights", PolicyDocument=document)
    created = iam.create_access_key(UserName=user)["AccessKey"]
    return aws.client("sqs", (created["AccessKeyId"], created["SecretAccessKey"]), **options)


def test_a_user_with_all_rights(aws: Aws, queues: Queues, user: str) -> None:
    fill(aws, queues.dead, "a")
    sqs = client_with(aws, user, (ON_SOURCE, queues.dead_arn), (["SendMessage"], queues.other_arn))
    assert run(sqs, queues, DestinationArn=queues.other_arn)["Status"] == "COMPLETED"
    handle = aws.client("sqs").start_message_move_task(SourceArn=queues.dead_arn)["TaskHandle"]
    assert refusal(sqs.cancel_message_move_task, TaskHandle=handle)[:2] == ("AccessDenied", 403)


@pytest.mark.parametrize("missing", ["StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "SendMessage"])
def test_a_user_without_a_right(aws: Aws, queues: Queues, user: str, missing: str) -> None:
    fill(aws, queues.dead, "a")
    on_source = [action for action in ON_SOURCE if action != missing]
    on_target = queues.arn if missing == "SendMessage" else queues.other_arn
    sqs = client_with(aws, user, (on_source, queues.dead_arn), (["SendMessage"], on_target))
    parameters = {"SourceArn": queues.dead_arn, "DestinationArn": queues.other_arn}
    if missing == "StartMessageMoveTask":
        assert refusal(sqs.start_message_move_task, **parameters)[:2] == ("AccessDenied", 403)
    else:
        sqs.start_message_move_task(**parameters)
        task = finished(sqs, queues)
        assert (task["Status"], task["FailureReason"]) == ("FAILED", "AccessDenied")
    assert bodies(aws, queues.dead) == ["a"]


def test_a_queue_policy_that_denies(aws: Aws, queues: Queues, user: str) -> None:
    root = aws.client("sqs")
    statement = {"Effect": "Deny", "Principal": "*", "Resource": queues.dead_arn, "Action": "sqs:*"}
    statement["Condition"] = {"Bool": {"aws:SecureTransport": "false"}}  # type: ignore[assignment]
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    root.set_queue_attributes(QueueUrl=queues.dead, Attributes={"Policy": document})
    over_http = aws.instance.variables["AWS_ENDPOINT_URL"].replace("https://", "http://")
    sqs = client_with(aws, user, (ON_SOURCE, queues.dead_arn), endpoint_url=over_http)
    assert refusal(sqs.start_message_move_task, SourceArn=queues.dead_arn)[:2] == ("AccessDenied", 403)

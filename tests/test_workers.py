"""The workers on AWS Lambda: as declared, deployed behind a real event source mapping, and the function itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hello_queue.constants import QUEUE_USER_ACTIONS
from hello_queue.sqs import lambda_worker
from hello_queue.sqs.handlers import CannotGoOn, Message, RetryLater, batch_handler
from tests.conftest import Aws, Synth
from tests.queues import bodies
from tests.stacks.templates import WORKERS, arn_of, only, resources

SETTINGS: dict[str, Any] = {
    "workers": "lambda",
    "delay_seconds": "0",
    "max_receive_count": "2",
    "worker_timeout_seconds": "2",
}
SETTINGS |= {"visibility_timeout_seconds": "12"}


def test_workers_process_messages_and_go_with_their_setting(empty_aws: Aws, tmp_path: Path) -> None:
    """300 messages, of which one in ten fails: those end in the dead-letter queue, without bringing back others.
    Then a deploy without workers, and a destroy without the setting, each leave nothing of them."""
    empty_aws.cdk("deploy", **SETTINGS)
    texts = [f"{'fail' if number % 10 == 0 else 'good'} {number}" for number in range(300)]
    lines = tmp_path / "lines"
    lines.write_text("".join(f"{text}\n" for text in texts))
    assert empty_aws.script("send.py", "--file", str(lines)).stdout == "300 sent, 0 failed\n"
    sqs = empty_aws.client("sqs")
    url, dead = (sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in ("test", "test-dlq"))

    def left() -> int:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return sum(int(found[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed"))

    deadline = time.monotonic() + 120
    while left() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert sorted(bodies(empty_aws, dead)) == sorted(text for text in texts if text.startswith("fail"))
    logged = list(_logged(empty_aws))
    handled = [text for text in logged if text.startswith("good ")]
    assert sorted(handled) == sorted(text for text in texts if text.startswith("good")), "each once"

    empty_aws.cdk("deploy", **{**SETTINGS, "workers": "none"})
    assert workers_left(empty_aws) == []
    assert sqs.get_queue_url(QueueName="test")["QueueUrl"] == url

    empty_aws.cdk("deploy", **SETTINGS)
    assert len(workers_left(empty_aws)) == 5
    empty_aws.cdk("destroy")
    assert workers_left(empty_aws) == []
    assert sqs.list_queues().get("QueueUrls", []) == []


def workers_left(aws: Aws) -> list[str]:
    """The resources of the workers that exist, and their stack."""
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    roles = aws.client("iam").list_roles()["Roles"]
    return [
        *(each["FunctionName"] for each in aws.client("lambda").list_functions()["Functions"]),
        *(each["UUID"] for each in aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]),
        *(each["logGroupName"] for each in aws.client("logs").describe_log_groups()["logGroups"]),
        *(each["RoleName"] for each in roles if each["RoleName"].startswith("HelloQueueWorkers")),
        *(each["StackName"] for each in stacks if each["StackName"] == "HelloQueueWorkers"),
    ]


def _logged(aws: Aws) -> Iterator[str]:
    pages = aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/test-worker")
    for page in pages:
        for event in page["events"]:
            yield from event["message"].splitlines()


def test_the_function_and_its_event_source_mapping(synth: Synth) -> None:
    template = synth(workers="lambda", worker_batch_window_seconds="6", visibility_timeout_seconds="36")[WORKERS]
    mapping = only(template, "AWS::Lambda::EventSourceMapping")
    assert mapping["EventSourceArn"] == arn_of("test")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert only(template, "AWS::Logs::LogGroup")["RetentionInDays"] == 30
    assert {each["MetricName"] for each in resources(template, "AWS::CloudWatch::Alarm")} == {"Errors", "Throttles"}


def test_the_function_may_process_messages_and_write_its_log_and_nothing_else(synth: Synth) -> None:
    template = synth(workers="lambda")[WORKERS]
    assert not {"ManagedPolicyArns", "Policies"} & only(template, "AWS::IAM::Role").keys()
    policy = only(template, "AWS::IAM::Policy")
    log, queue = policy["PolicyDocument"]["Statement"]
    assert set(log["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert log["Resource"] == {"Fn::GetAtt": ["Log95422804", "Arn"]}
    assert set(queue["Action"]) == set(QUEUE_USER_ACTIONS) - {"sqs:SendMessage"}
    assert queue["Resource"] == arn_of("test")


def test_aws_lambda_may_receive_before_the_mapping_exists(synth: Synth) -> None:
    """AWS rejects a mapping to a function that may not receive from the queue."""
    found = synth(workers="lambda")[WORKERS]["Resources"]
    (mapping,) = [each for each in found.values() if each["Type"] == "AWS::Lambda::EventSourceMapping"]
    (policy,) = [name for name, each in found.items() if each["Type"] == "AWS::IAM::Policy"]
    assert policy in found[mapping["Properties"]["FunctionName"]["Ref"]]["DependsOn"]


def test_without_workers_their_stack_is_empty(synth: Synth) -> None:
    """The CDK deploys no empty stack, and deletes one that exists."""
    assert synth()[WORKERS].keys() == {"Description"}


def record(body: str, group: str | None = None, **more: Any) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "0", **({"MessageGroupId": group} if group else {})}
    source = "arn:aws:sqs:us-east-1:111122223333:test.fifo" if group else "arn:aws:sqs:us-east-1:111122223333:test"
    return {"messageId": body, "body": body, "attributes": attributes, "eventSourceARN": source, **more}


def failures(monkeypatch: pytest.MonkeyPatch, handler: str, *records: dict[str, Any]) -> list[str]:
    monkeypatch.setenv("HANDLER", f"tests.test_workers:{handler}")
    answer = lambda_worker.handle({"Records": list(records)}, None)
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def fail_or_not(message: Any) -> None:
    if message.body.startswith("fail"):
        raise ValueError


def cannot_go_on(message: Any) -> None:
    if message.body == "b":
        raise CannotGoOn


def later(message: Any) -> None:
    raise RetryLater(2)


def test_only_failed_messages_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failures(monkeypatch, "fail_or_not", record("a"), record("fail"), record("b")) == ["fail"]
    assert failures(monkeypatch, "fail_or_not", record("a")) == []


def test_messages_do_not_overtake_a_failed_one_of_their_group(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [record("a", "g"), record("fail", "g"), record("b", "h"), record("c", "g")]
    assert failures(monkeypatch, "fail_or_not", *records) == ["fail", "c"]


def test_cannot_go_on_reports_the_rest_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failures(monkeypatch, "cannot_go_on", record("a"), record("b"), record("c")) == ["b", "c"]


BATCHES: list[str] = []


@batch_handler(3)
def batch(messages: list[Message]) -> dict[str, Exception]:
    BATCHES.append("".join(each.body[0] for each in messages))
    return {each.id: ValueError() for each in messages if each.body.startswith("fail")}


@batch_handler(3)
async def whole_batch(messages: list[Message]) -> None:
    if any(each.body.startswith("fail") for each in messages):
        raise ValueError


def test_a_handler_of_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    BATCHES.clear()
    records = [record(each) for each in ("a", "fail", "b", "c", "d")]
    assert failures(monkeypatch, "batch", *records) == ["fail"]
    assert BATCHES == ["afb", "cd"]
    assert failures(monkeypatch, "whole_batch", *records) == ["a", "fail", "b"]


def test_a_batch_has_one_message_of_each_group_of_a_fifo_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    BATCHES.clear()
    groups = [("a", "g"), ("b", "g"), ("fail", "h"), ("c", "g"), ("d", "h"), ("e", "i")]
    assert failures(monkeypatch, "batch", *(record(*each) for each in groups)) == ["fail", "d"]
    assert BATCHES == ["afe", "b", "c"]


def test_retry_later_changes_the_visibility_timeout(aws: Aws, queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    (received,) = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=600)["Messages"]
    for name, value in aws.instance.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.instance.root.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.instance.root.secret)
    arn = f"arn:aws:sqs:us-east-1:111122223333:{queue.rpartition('/')[2]}"
    its = record("a", receiptHandle=received["ReceiptHandle"], eventSourceARN=arn)
    assert failures(monkeypatch, "later", its) == ["a"]
    began = time.monotonic()
    (again,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    assert again["Body"] == "a"
    assert 1 < time.monotonic() - began < 10

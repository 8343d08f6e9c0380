"""The workers on AWS Lambda: deployed, through the real event source mapping; and what they are declared to be."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hello_queue.sqs import lambda_worker
from hello_queue.sqs.handlers import CannotGoOn, RetryLater
from stacks.settings import Settings, SettingsError
from stacks.workers import ROOT, collect_code
from tests.conftest import Aws, Synth
from tests.queues import bodies
from tests.stacks.templates import arn_of, only, resources

SETTINGS: dict[str, Any] = {
    "workers": "lambda",
    "delay_seconds": "0",
    "max_receive_count": "2",
    "worker_timeout_seconds": "2",
}
SETTINGS |= {"visibility_timeout_seconds": "12"}


def test_a_thousand_messages_and_one_in_ten_fails(empty_aws: Aws, tmp_path: Path) -> None:
    """The failing ones do not bring back the others; they end in the dead-letter queue; destroy leaves nothing."""
    empty_aws.cdk("deploy", **SETTINGS)
    texts = [f"{'fail' if number % 10 == 0 else 'good'} {number}" for number in range(1000)]
    lines = tmp_path / "lines"
    lines.write_text("".join(f"{text}\n" for text in texts))
    assert empty_aws.script("send.py", "--file", str(lines)).stdout == "1,000 sent, 0 failed\n"
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
    empty_aws.cdk("destroy", **SETTINGS)
    assert empty_aws.client("lambda").list_functions()["Functions"] == []
    assert empty_aws.client("lambda").list_event_source_mappings()["EventSourceMappings"] == []
    assert empty_aws.client("logs").describe_log_groups()["logGroups"] == []
    assert not [role for role in empty_aws.client("iam").list_roles()["Roles"] if role["RoleName"] == "test-worker"]


def _logged(aws: Aws) -> Iterator[str]:
    pages = aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/test-worker")
    for page in pages:
        for event in page["events"]:
            yield from event["message"].splitlines()


def test_what_is_declared(synth: Synth) -> None:
    template = synth(workers="lambda", worker_batch_window_seconds="6", visibility_timeout_seconds="36")[
        "HelloQueueWorkers"
    ]
    mapping = only(template, "AWS::Lambda::EventSourceMapping")
    assert mapping["EventSourceArn"] == arn_of("test")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 10}
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (10, 6)
    function = only(template, "AWS::Lambda::Function")
    assert function["Environment"]["Variables"] == {"HANDLER": "example:log"}
    assert only(template, "AWS::Logs::LogGroup")["RetentionInDays"] == 30
    assert {each["MetricName"] for each in resources(template, "AWS::CloudWatch::Alarm")} == {"Errors", "Throttles"}
    assert not {"ManagedPolicyArns", "Policies"} & only(template, "AWS::IAM::Role").keys()
    statements = only(template, "AWS::IAM::Policy")["PolicyDocument"]["Statement"]
    assert [statement["Resource"] for statement in statements].count("*") == 0
    assert {action for each in statements for action in each["Action"]} == {
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"),
        *("sqs:GetQueueUrl", "logs:CreateLogStream", "logs:PutLogEvents"),
    }


def test_they_are_off_by_default(synth: Synth) -> None:
    assert "HelloQueueWorkers" not in synth()


def test_the_code_and_its_requirements_travel(tmp_path: Path) -> None:
    """A handler's folder with a requirement of its own, here a wheel that is made on the spot."""
    folder = ROOT / "cdk.out" / f"workers-{time.time_ns()}"
    folder.mkdir(parents=True)
    wheel = tmp_path / "needed-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("needed.py", "answer = 42\n")
        archive.writestr("needed-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: needed\nVersion: 1.0\n")
        archive.writestr("needed-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("needed-1.0.dist-info/RECORD", "")
    try:
        (folder / "orders.py").write_text("import needed\n")
        (folder / "requirements.txt").write_text(f"{wheel}\n")
        settings = Settings(workers="lambda", worker_folder=str(folder.relative_to(ROOT)), worker_handler="orders:book")
        collected = tmp_path / "collected"
        collected.mkdir()
        collect_code(settings, collected)
        found = {str(path.relative_to(collected)) for path in collected.rglob("*.py")}
        contract = {
            f"hello_queue/{name}.py" for name in ("__init__", "sqs/__init__", "sqs/handlers", "sqs/lambda_worker")
        }
        assert found == {"orders.py", "needed.py", *contract}
        (folder / "requirements.txt").write_text("no-such-package-anywhere\n")
        with pytest.raises(SettingsError, match="cannot be installed for Lambda"):
            collect_code(settings, tmp_path / "again")
    finally:
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink()
        folder.rmdir()


def test_no_such_handler(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no module 'orders' in worker_folder"):
        collect_code(Settings(workers="lambda", worker_handler="orders:book"), tmp_path)


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


def test_only_what_failed_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failures(monkeypatch, "fail_or_not", record("a"), record("fail"), record("b")) == ["fail"]
    assert failures(monkeypatch, "fail_or_not", record("a")) == []


def test_what_follows_a_failure_in_its_group_does_not_overtake_it(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [record("a", "g"), record("fail", "g"), record("b", "h"), record("c", "g")]
    assert failures(monkeypatch, "fail_or_not", *records) == ["fail", "c"]


def test_who_cannot_go_on_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failures(monkeypatch, "cannot_go_on", record("a"), record("b"), record("c")) == ["b", "c"]


def test_a_wish_for_later_is_fulfilled(aws: Aws, queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
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

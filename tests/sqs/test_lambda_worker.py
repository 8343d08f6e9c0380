"""The function that AWS Lambda calls with a batch of messages."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hello_queue.sqs import lambda_worker
from hello_queue.sqs.handlers import CannotGoOn, Message, RetryLater, batch_handler
from tests.conftest import Aws


def record(body: str, group: str | None = None, **more: Any) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "0", **({"MessageGroupId": group} if group else {})}
    source = "arn:aws:sqs:us-east-1:111122223333:test.fifo" if group else "arn:aws:sqs:us-east-1:111122223333:test"
    return {"messageId": body, "body": body, "attributes": attributes, "eventSourceARN": source, **more}


def failures(monkeypatch: pytest.MonkeyPatch, handler: str, *records: dict[str, Any]) -> list[str]:
    monkeypatch.setenv("HANDLER", f"tests.sqs.test_lambda_worker:{handler}")
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

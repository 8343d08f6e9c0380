"""What AWS refuses, the local AWS refuses too: delays, waits and attributes beyond the limits."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws


def attributes(number: int) -> dict[str, Any]:
    return {f"a{index}": {"DataType": "String", "StringValue": "x"} for index in range(number)}


@pytest.mark.parametrize(
    ("call", "parameters"),
    [
        ("send_message", {"DelaySeconds": 901}),
        ("send_message", {"DelaySeconds": -1}),
        ("send_message", {"MessageAttributes": attributes(11)}),
        ("receive_message", {"WaitTimeSeconds": 21}),
        ("receive_message", {"WaitTimeSeconds": -1}),
    ],
)
def test_beyond_the_limit(aws: Aws, queue: str, call: str, parameters: dict[str, Any]) -> None:
    body = {"MessageBody": "x"} if call == "send_message" else {}
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        getattr(aws.client("sqs"), call)(QueueUrl=queue, **body, **parameters)


def test_the_limit_itself(aws: Aws, queue: str) -> None:
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=900)
    sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes(10))
    assert sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]


def test_entries_of_a_batch_fail_separately(aws: Aws, queue: str) -> None:
    entries = [{"Id": str(delay), "MessageBody": "x", "DelaySeconds": delay} for delay in (0, 901)]
    response = aws.client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)
    assert [entry["Id"] for entry in response["Successful"]] == ["0"]
    (failed,) = response["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("901", "InvalidParameterValue", True)

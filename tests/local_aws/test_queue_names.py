"""CloudFormation does not take over a queue that exists, and leaves it as it is."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.conftest import Aws
from tests.local_aws.test_iam_resources import Stack, stack

__all__ = ["stack"]


def named(name: str) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}


def test_a_queue_that_exists(stack: Stack, aws: Aws) -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="taken")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="stays")
    with pytest.raises(WaiterError):
        stack.create(Queue=named("taken"))
    stack.delete()
    stack.create(Queue=named("free"))
    with pytest.raises(WaiterError):
        stack.update(Queue=named("taken"))
    with pytest.raises(WaiterError):
        stack.update(Moved=named("free"))
    listed = [each.rpartition("/")[2] for each in sqs.list_queues()["QueueUrls"]]
    assert {"taken", "free"} <= set(listed)
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "stays"
    sqs.delete_queue(QueueUrl=url)

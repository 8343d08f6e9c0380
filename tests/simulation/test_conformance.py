"""The model of SQS and the local AWS give the same answers, or the difference is named with AWS's source."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from tests.conftest import Aws
from tests.simulation.sqs_model import Queue
from tests.simulation.sqs_service import Answer, Refused, Service
from tests.simulation.virtual_loop import VirtualLoop


class Sqs(Protocol):
    """SQS with a queue and its dead-letter queue (max receive count 2), of the kind that a scenario needs."""

    def call(self, action: str, **parameters: Any) -> Any: ...

    def sleep(self, seconds: float) -> None: ...


class Model:
    """The model, in virtual time."""

    def __init__(self, *, fifo: bool) -> None:
        self._loop = VirtualLoop()
        end = ".fifo" if fifo else ""
        dead = Queue(f"dead{end}", self._loop.time)
        queue = Queue(f"queue{end}", self._loop.time, max_receives=2, dead_letters=dead)
        self._service = Service({queue.name: queue, dead.name: dead}, self._loop)
        self._names = {"queue": queue.name, "dead": dead.name}

    def call(self, action: str, queue: str = "queue", **parameters: Any) -> Any:
        return self._loop.run_until_complete(self._call(action, {"QueueUrl": self._names[queue], **parameters}))

    def sleep(self, seconds: float) -> None:
        self._loop.run_until_complete(asyncio.sleep(seconds))

    async def _call(self, action: str, parameters: Answer) -> Any:
        if action != "ReceiveMessage":
            try:
                return self._service.perform(action, parameters)
            except Refused as refused:
                return refused.code
        answer: asyncio.Future[Answer | Refused] = self._loop.create_future()
        self._service.receive(parameters, answer.set_result)
        result = await answer
        return result.code if isinstance(result, Refused) else result


class LocalAws:
    """The local AWS, over https, in real time."""

    def __init__(self, aws: Aws, *, fifo: bool) -> None:
        self.sqs = aws.client("sqs")
        end = ".fifo" if fifo else ""
        kind = {"FifoQueue": "true"} if fifo else {}
        name = f"model-{os.getpid()}-{time.time_ns()}"
        dead = self.sqs.create_queue(QueueName=f"{name}-dead{end}", Attributes=kind)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
        attributes = {**kind, "RedrivePolicy": policy}
        queue = self.sqs.create_queue(QueueName=f"{name}{end}", Attributes=attributes)["QueueUrl"]
        self.urls = {"queue": queue, "dead": dead}

    def call(self, action: str, queue: str = "queue", **parameters: Any) -> Any:
        try:
            return getattr(self.sqs, xform_name(action))(QueueUrl=self.urls[queue], **parameters)
        except ClientError as error:
            return error.response["Error"]["Code"]

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def send(sqs: Sqs, body: str, **parameters: Any) -> Any:
    answer = sqs.call("SendMessage", MessageBody=body, **parameters)
    return answer if isinstance(answer, str) else answer["MD5OfMessageBody"]


def fifo(sqs: Sqs, body: str, group: str) -> Any:
    return send(sqs, body, MessageGroupId=group, MessageDeduplicationId=body)


def receive(sqs: Sqs, most: int = 10, **parameters: Any) -> Any:
    """The handles by body; a refused call's code."""
    names = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
    parameters = {"VisibilityTimeout": 30, "WaitTimeSeconds": 0, **names, **parameters}
    answer = sqs.call("ReceiveMessage", MaxNumberOfMessages=most, **parameters)
    if isinstance(answer, str):
        return answer
    return {
        f"{each['Body']} {each['Attributes']['ApproximateReceiveCount']}": each["ReceiptHandle"]
        for each in answer.get("Messages", ())
    }


def bodies(received: Any) -> Any:
    return received if isinstance(received, str) else list(received)


def done(answer: Any) -> str:
    return answer if isinstance(answer, str) else "done"


def lifetime(sqs: Sqs) -> Iterator[Any]:
    yield send(sqs, "a", MessageAttributes={"n": {"DataType": "Number", "StringValue": "1"}})
    received = receive(sqs)
    yield bodies(received)
    yield bodies(receive(sqs))
    yield done(sqs.call("DeleteMessage", ReceiptHandle=received["a 1"]))
    yield done(sqs.call("DeleteMessage", ReceiptHandle="unknown"))


def visibility(sqs: Sqs) -> Iterator[Any]:
    send(sqs, "a")
    received = receive(sqs, VisibilityTimeout=1)
    yield done(sqs.call("ChangeMessageVisibility", ReceiptHandle=received["a 1"], VisibilityTimeout=2))
    sqs.sleep(1.2)
    yield bodies(receive(sqs))
    sqs.sleep(1)
    again = receive(sqs)
    yield bodies(again)
    yield done(sqs.call("ChangeMessageVisibility", ReceiptHandle=again["a 2"], VisibilityTimeout=0))
    yield bodies(receive(sqs)), bodies(receive(sqs, queue="dead"))


def waiting(sqs: Sqs) -> Iterator[Any]:
    send(sqs, "a", DelaySeconds=1)
    yield bodies(receive(sqs))
    yield bodies(receive(sqs, WaitTimeSeconds=3))


def groups(sqs: Sqs) -> Iterator[Any]:
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")):
        yield fifo(sqs, body, group)
    yield fifo(sqs, "a1", "a")  # a duplicate
    first = receive(sqs, 1)
    yield bodies(first)
    others = receive(sqs, 10)
    yield bodies(others)
    sqs.call("DeleteMessage", ReceiptHandle=first["a1 1"])
    yield bodies(receive(sqs, 10))


def batches(sqs: Sqs) -> Iterator[Any]:
    def entries(number: int) -> list[dict[str, Any]]:
        return [{"Id": str(index), "MessageBody": "x"} for index in range(number)]

    yield sqs.call("SendMessageBatch", Entries=entries(11))
    yield sqs.call("SendMessageBatch", Entries=[*entries(1), *entries(1)])
    answer = sqs.call(
        "SendMessageBatch", Entries=[*entries(1), {"Id": "late", "MessageBody": "x", "DelaySeconds": 901}]
    )
    yield [each["Id"] for each in answer["Successful"]]
    yield [(each["Id"], each["Code"], each["SenderFault"]) for each in answer["Failed"]]


def limits(sqs: Sqs) -> Iterator[Any]:
    yield send(sqs, "a", DelaySeconds=901)
    yield send(sqs, "a", MessageAttributes={f"a{n}": {"DataType": "String", "StringValue": "x"} for n in range(11)})
    yield receive(sqs, WaitTimeSeconds=21)
    yield receive(sqs, 11)


def stale_delete(sqs: Sqs) -> Iterator[Any]:
    send(sqs, "a")
    first = receive(sqs, VisibilityTimeout=0)
    receive(sqs, VisibilityTimeout=30)
    yield done(sqs.call("DeleteMessage", ReceiptHandle=first["a 1"]))


def second_delete(sqs: Sqs) -> Iterator[Any]:
    send(sqs, "a")
    received = receive(sqs)
    sqs.call("DeleteMessage", ReceiptHandle=received["a 1"])
    yield done(sqs.call("DeleteMessage", ReceiptHandle=received["a 1"]))


def late_extension(sqs: Sqs) -> Iterator[Any]:
    send(sqs, "a")
    received = receive(sqs, VisibilityTimeout=0)
    yield done(sqs.call("ChangeMessageVisibility", ReceiptHandle=received["a 1"], VisibilityTimeout=30))


def late_delete(sqs: Sqs) -> Iterator[Any]:
    fifo(sqs, "a", "a")
    received = receive(sqs, VisibilityTimeout=0)
    yield done(sqs.call("DeleteMessage", ReceiptHandle=received["a 1"]))


SAME: dict[str, tuple[Callable[[Sqs], Iterator[Any]], bool]] = {
    "the life of a message": (lifetime, False),
    "visibility timeout and dead letters": (visibility, False),
    "delay and long poll": (waiting, False),
    "groups and duplicates": (groups, True),
    "batches": (batches, False),
    "limits": (limits, False),
}
DIFFERENT: dict[str, tuple[Callable[[Sqs], Iterator[Any]], bool, list[str], list[str], str]] = {
    "a delete with an old receipt handle": (
        stale_delete,
        False,
        ["done"],
        ["ReceiptHandleIsInvalid"],
        "API_DeleteMessage.html: the request succeeds, but the message might not be deleted",
    ),
    "a second delete": (
        second_delete,
        False,
        ["done"],
        ["ReceiptHandleIsInvalid"],
        "API_DeleteMessage.html: a request with an old receipt handle succeeds",
    ),
    "an extension that comes too late": (
        late_extension,
        False,
        ["AWS.SimpleQueueService.MessageNotInflight"],
        ["done"],
        "API_ChangeMessageVisibility.html, MessageNotInflight: the specified message isn't in flight",
    ),
    "a delete in a FIFO queue that comes too late": (
        late_delete,
        True,
        ["InvalidParameterValue"],
        ["done"],
        "FIFO-queues-understanding-logic.html: a receipt handle is valid for the visibility timeout",
    ),
}
"""Scenarios in which the local AWS is known to differ: what the model answers, what it answers, and AWS's source."""


@pytest.mark.parametrize("name", SAME)
def test_same_answers(aws: Aws, name: str) -> None:
    scenario, needs_fifo = SAME[name]
    assert list(scenario(Model(fifo=needs_fifo))) == list(scenario(LocalAws(aws, fifo=needs_fifo)))


@pytest.mark.parametrize("name", DIFFERENT)
def test_known_differences(aws: Aws, name: str) -> None:
    scenario, needs_fifo, model, local, _ = DIFFERENT[name]
    assert list(scenario(Model(fifo=needs_fifo))) == model
    assert list(scenario(LocalAws(aws, fifo=needs_fifo))) == local

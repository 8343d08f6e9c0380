"""SQS's actions over the model's queues: parameters, limits, answers and errors as the API has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from hello_queue.sqs.checksums import attributes_md5, body_md5
from tests.simulation.sqs_model import Queue
from tests.simulation.stored import described

MAX_BATCH_ENTRIES = 10
MAX_BATCH_BYTES = 1_048_576
MAX_DELAY_SECONDS = 900
MAX_WAIT_SECONDS = 20
MAX_ATTRIBUTES = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""

STATUS = {"InternalError": 500, "ServiceUnavailable": 503, "RequestThrottled": 403, "AccessDenied": 403}

Answer = dict[str, Any]


class Refused(Exception):
    """SQS refuses a call or an entry of it: the code and the text of its error."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text or code

    def raised(self, action: str) -> ClientError:
        """The exception that botocore raises for it."""
        status = STATUS.get(self.code, 400)
        parsed: Any = {
            "Error": {"Code": self.code, "Message": self.text},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        return ClientError(parsed, action)

    def entry(self, number: str) -> Answer:
        """An entry of ``Failed``."""
        fault = STATUS.get(self.code, 400) < 500 and self.code != "RequestThrottled"
        return {"Id": number, "Code": self.code, "Message": self.text, "SenderFault": fault}


class Service:
    """SQS. Each action happens at once; ``receive`` alone can wait, as a long poll does."""

    def __init__(self, queues: Mapping[str, Queue], loop: asyncio.AbstractEventLoop) -> None:
        self.queues = queues
        self._loop = loop

    def perform(self, action: str, parameters: Mapping[str, Any]) -> Answer:
        """Any action but ReceiveMessage.

        Raises:
            Refused: the whole call is refused.
        """
        queue = self._queue(parameters)
        if action == "SendMessage":
            return self._send(queue, parameters)
        if action == "DeleteMessage":
            return self._checked(queue.delete(parameters["ReceiptHandle"]))
        if action == "ChangeMessageVisibility":
            return self._checked(self._hide(queue, parameters))
        one: Callable[[Mapping[str, Any]], Answer] = {
            "SendMessageBatch": lambda entry: self._send(queue, entry),
            "DeleteMessageBatch": lambda entry: self._checked(queue.delete(entry["ReceiptHandle"])),
            "ChangeMessageVisibilityBatch": lambda entry: self._checked(self._hide(queue, entry)),
        }[action]
        return self._batch(parameters["Entries"], one)

    def receive(self, parameters: Mapping[str, Any], respond: Callable[[Answer | Refused], None]) -> None:
        """ReceiveMessage: ``respond`` gets the answer, at once or when messages or the end of the wait have come.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
        """
        try:
            queue = self._queue(parameters)
            most, wait = parameters.get("MaxNumberOfMessages", 1), parameters.get("WaitTimeSeconds", 0)
            _check_range("MaxNumberOfMessages", most, 1, MAX_BATCH_ENTRIES)
            _check_range("WaitTimeSeconds", wait, 0, MAX_WAIT_SECONDS)
        except Refused as refused:
            respond(refused)
            return
        _LongPoll(self._loop, queue, parameters, most, self._loop.time() + wait, respond).attempt()

    def _queue(self, parameters: Mapping[str, Any]) -> Queue:
        name = parameters["QueueUrl"].rpartition("/")[2]
        if name not in self.queues:
            raise Refused("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return self.queues[name]

    def _send(self, queue: Queue, entry: Mapping[str, Any]) -> Answer:
        body, attributes = entry["MessageBody"], entry.get("MessageAttributes") or {}
        _check_range("DelaySeconds", entry.get("DelaySeconds", 0), 0, MAX_DELAY_SECONDS)
        if len(attributes) > MAX_ATTRIBUTES:
            raise Refused("InvalidParameterValue", "too many message attributes")
        if queue.fifo and "MessageGroupId" not in entry:
            raise Refused("MissingParameter", "The request must contain the parameter MessageGroupId.")
        if queue.fifo and not (queue.content_based or "MessageDeduplicationId" in entry):
            raise Refused("InvalidParameterValue", "The queue should have ContentBasedDeduplication enabled.")
        if queue.fifo and entry.get("DelaySeconds"):
            raise Refused("InvalidParameterValue", "DelaySeconds is not valid for this queue type.")
        stored = queue.add(body, entry)
        answer = {"MessageId": stored.id, "MD5OfMessageBody": body_md5(body)}
        return {**answer, "MD5OfMessageAttributes": attributes_md5(attributes)} if attributes else answer

    @staticmethod
    def _hide(queue: Queue, entry: Mapping[str, Any]) -> str | None:
        seconds = entry["VisibilityTimeout"]
        _check_range("VisibilityTimeout", seconds, 0, 43_200)
        return queue.hide(entry["ReceiptHandle"], seconds)

    @staticmethod
    def _checked(code: str | None) -> Answer:
        if code is not None:
            raise Refused(code)
        return {}

    @staticmethod
    def _batch(entries: list[Mapping[str, Any]], one: Callable[[Mapping[str, Any]], Answer]) -> Answer:
        """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""
        if not entries:
            raise Refused("AWS.SimpleQueueService.EmptyBatchRequest")
        if len(entries) > MAX_BATCH_ENTRIES:
            raise Refused("AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
        if len({entry["Id"] for entry in entries}) < len(entries):
            raise Refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
        if sum(len(entry.get("MessageBody", "")) for entry in entries) > MAX_BATCH_BYTES:
            raise Refused("AWS.SimpleQueueService.BatchRequestTooLong")
        answer: Answer = {"Successful": [], "Failed": []}
        for entry in entries:
            try:
                answer["Successful"].append({"Id": entry["Id"], **one(entry)})
            except Refused as refused:
                answer["Failed"].append(refused.entry(entry["Id"]))
        return answer


class _LongPoll:
    """A ReceiveMessage that waits: it tries again whenever the queue has changed or a message becomes visible."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        queue: Queue,
        parameters: Mapping[str, Any],
        most: int,
        until: float,
        respond: Callable[[Answer | Refused], None],
    ) -> None:
        self._loop = loop
        self._queue = queue
        self._visibility = parameters.get("VisibilityTimeout")
        self._short = not parameters.get("WaitTimeSeconds", 0)
        self._most = most
        self._until = until
        self._respond = respond
        self._timer: asyncio.TimerHandle | None = None

    def attempt(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            received = self._queue.receive(self._most, self._visibility, short=self._short)
        except OverflowError:
            self._respond(Refused("OverLimit", "Too many messages in flight."))
            return
        if received or self._loop.time() >= self._until:
            messages = [described(message, handle) for message, handle in received]
            self._respond({"Messages": messages} if messages else {})
            return
        self._queue.waiting.append(self.attempt)
        soonest = self._queue.next_change()
        at = self._until if soonest is None else min(self._until, soonest)
        self._timer = self._loop.call_at(at, self._timed)

    def _timed(self) -> None:
        if self.attempt in self._queue.waiting:
            self._queue.waiting.remove(self.attempt)
        self.attempt()


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise Refused("InvalidParameterValue", f"Value {value} for parameter {name} is invalid.")

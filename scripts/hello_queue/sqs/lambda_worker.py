"""The entry point of the workers on AWS Lambda: passes each message to the handler that process.py would call.

It returns the messages that failed (partial batch responses), so that only those are received again. In a FIFO queue,
the messages that follow a failed one in its group fail too, because they must not overtake it.
"""

from __future__ import annotations

import functools
import os
import traceback
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hello_queue.sqs.handlers import (
    CannotGoOn,
    Handler,
    Message,
    RetryLater,
    batch_size,
    call,
    failures_in,
    from_lambda,
    is_async,
    load_handler,
)

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

_Record = tuple[Message, Mapping[str, Any]]
"""A message, and the record of Lambda's event that it is from."""


def handle(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Handle a batch. The environment variable HANDLER names the handler, as module:function.

    Raises:
        InvalidHandler: the handler cannot be loaded. The whole batch is received again.
    """
    handler = _handler(os.environ["HANDLER"])
    failed: list[str] = []
    held_back: set[str | None] = set()
    waiting = deque((from_lambda(record), record) for record in event["Records"])
    cannot_go_on = False
    while waiting and not cannot_go_on:
        batch = _next(waiting, batch_size(handler) or 1)
        errors = _handled(handler, [message for message, _ in batch])
        for message, record in batch:
            error = errors.get(message.id)
            if error is None:
                continue
            failed.append(message.id)
            cannot_go_on |= isinstance(error, CannotGoOn)
            if _in_order(record):
                held_back.add(message.group)
            if isinstance(error, RetryLater):
                _postpone(record, error.seconds)
            else:
                trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
                print(f"message {message.id} failed at receive {message.receive_count}:\n{trace}")
        if held_back:
            failed += [message.id for message, _ in waiting if message.group in held_back]
            waiting = deque(each for each in waiting if each[0].group not in held_back)
    failed += [message.id for message, _ in waiting]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def _next(waiting: deque[_Record], most: int) -> list[_Record]:
    """Take up to so many messages; of a FIFO queue, at most one of each group."""
    batch: list[_Record] = []
    groups: set[str | None] = set()
    behind: list[_Record] = []
    while waiting and len(batch) < most:
        message, record = waiting.popleft()
        if _in_order(record) and message.group in groups:
            behind.append((message, record))
        else:
            batch.append((message, record))
            groups.add(message.group)
    waiting.extendleft(reversed(behind))
    return batch


def _in_order(record: Mapping[str, Any]) -> bool:
    """Whether a message is of a FIFO queue. In a fair queue, groups have no order."""
    return bool(record["eventSourceARN"].endswith(".fifo"))


def _handled(handler: Handler, messages: list[Message]) -> Mapping[str, BaseException]:
    """Have messages handled. Returns the exceptions of those that failed."""
    is_batch = batch_size(handler) is not None
    argument = [*messages] if is_batch else messages[0]
    try:
        result = _await(handler, argument) if is_async(handler) else call(handler, argument)
        return failures_in(result, messages) if is_batch else {}
    except BaseException as error:  # sys.exit, too, fails messages and not the batch that Lambda has passed
        return {message.id: error for message in messages}


def _await(handler: Handler, argument: Message | list[Message]) -> object:
    import asyncio  # only where it is needed, because that takes time

    async def main() -> object:
        handled: Any = handler(argument)
        return await handled

    return asyncio.run(main())


@functools.cache
def _handler(name: str) -> Handler:
    return load_handler(name)


@functools.cache
def _sqs() -> SQSClient:
    import boto3  # part of Lambda's runtime; imported only where it is needed, because that takes time

    return boto3.client("sqs")


@functools.cache
def _queue_url(queue_arn: str) -> str:
    return str(_sqs().get_queue_url(QueueName=queue_arn.rpartition(":")[2])["QueueUrl"])


def _postpone(record: Mapping[str, Any], seconds: int) -> None:
    """Change the message's visibility timeout. If that fails, it is received again after the one it has."""
    try:
        url = _queue_url(record["eventSourceARN"])
        _sqs().change_message_visibility(QueueUrl=url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds)
    except Exception:
        print(f"the visibility timeout of message {record['messageId']} was not changed:\n{traceback.format_exc()}")

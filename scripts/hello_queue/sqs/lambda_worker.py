"""The entry point of the workers on AWS Lambda: passes each message to the handler that process.py would call.

It returns the messages that failed (partial batch responses), so that only those are received again. In a FIFO queue,
the messages that follow a failed one in its group fail too, because they must not overtake it.
"""

from __future__ import annotations

import functools
import os
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hello_queue.sqs.handlers import CannotGoOn, Handler, Message, RetryLater, call, from_lambda, is_async, load_handler

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


def handle(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Handle a batch. The environment variable HANDLER names the handler, as module:function.

    Raises:
        InvalidHandler: the handler cannot be loaded. The whole batch is received again.
    """
    handler = _handler(os.environ["HANDLER"])
    failed: list[str] = []
    held_back: set[str] = set()
    cannot_go_on = False
    for record in event["Records"]:
        message = from_lambda(record)
        if cannot_go_on or (message.group is not None and message.group in held_back):
            failed.append(message.id)
            continue
        try:
            if is_async(handler):
                _await(handler, message)
            else:
                call(handler, message)
        except BaseException as error:  # sys.exit, too, fails one message and not the batch
            failed.append(message.id)
            if message.group is not None and record["eventSourceARN"].endswith(".fifo"):
                held_back.add(message.group)
            cannot_go_on = isinstance(error, CannotGoOn)
            if isinstance(error, RetryLater):
                _postpone(record, error.seconds)
            else:
                print(f"message {message.id} failed at receive {message.receive_count}:\n{traceback.format_exc()}")
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def _await(handler: Handler, message: Message) -> None:
    import asyncio  # only where it is needed, because that takes time

    async def main() -> None:
        handled: Any = handler(message)
        await handled

    asyncio.run(main())


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

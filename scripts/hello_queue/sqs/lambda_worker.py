"""What AWS Lambda calls with a batch of messages: each goes to the handler that process.py would call.

It answers with the messages that failed (partial batch responses): only those come again. In a FIFO queue what follows
a failed message in its group has failed too, as it must not overtake it.
"""

from __future__ import annotations

import functools
import os
import traceback
from collections.abc import Mapping
from typing import Any

from hello_queue.sqs.handlers import CannotGoOn, Handler, RetryLater, from_lambda, load_handler


def handle(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """The entry point. The handler is named by the environment variable HANDLER, as module:function."""
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
            handler(message)
        except Exception as error:
            failed.append(message.id)
            if message.group is not None and record["eventSourceARN"].endswith(".fifo"):
                held_back.add(message.group)
            cannot_go_on = isinstance(error, CannotGoOn)
            if isinstance(error, RetryLater):
                _postpone(record, error.seconds)
            else:
                print(f"message {message.id} failed at receive {message.receive_count}:\n{traceback.format_exc()}")
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


@functools.cache
def _handler(name: str) -> Handler:
    return load_handler(name)


@functools.cache
def _sqs() -> Any:
    import boto3  # of Lambda's runtime; only where it is needed, as it takes time

    return boto3.client("sqs")


@functools.cache
def _queue_url(queue_arn: str) -> str:
    return str(_sqs().get_queue_url(QueueName=queue_arn.rpartition(":")[2])["QueueUrl"])


def _postpone(record: Mapping[str, Any], seconds: int) -> None:
    """If it fails, the message comes again after the visibility timeout."""
    try:
        url = _queue_url(record["eventSourceARN"])
        _sqs().change_message_visibility(QueueUrl=url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds)
    except Exception:
        print(f"message {record['messageId']} could not be postponed:\n{traceback.format_exc()}")

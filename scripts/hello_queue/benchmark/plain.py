"""The simple ways to use SQS: python -m hello_queue.benchmark.plain HOW URL COUNT SIZE.

`tutorial-send` and `tutorial-process` are the tutorial's way: one message per call. `batch-send` and `batch-process`
send, receive and delete ten messages per call, one call after the other. `first` sends one message.
"""

from __future__ import annotations

import sys
from typing import Any

import boto3


def main(how: str, url: str, count: int, size: int) -> None:
    body = "x" * size
    if how == "first":
        boto3.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    elif how == "tutorial-send":
        queue = boto3.resource("sqs").Queue(url)
        for _ in range(count):
            queue.send_message(MessageBody=body)
    elif how == "tutorial-process":
        queue = boto3.resource("sqs").Queue(url)
        done = 0
        while done < count:
            for message in queue.receive_messages():
                message.delete()
                done += 1
    elif how == "batch-send":
        sqs = boto3.client("sqs")
        for _ in range(count // 10):
            sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": body} for i in range(10)])
    elif how == "batch-process":
        sqs = boto3.client("sqs")
        done = 0
        while done < count:
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            if messages:
                entries: Any = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]
                sqs.delete_message_batch(QueueUrl=url, Entries=entries)
            done += len(messages)
    else:
        raise ValueError(how)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

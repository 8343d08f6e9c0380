"""SQS's own way to redrive all messages of a standard queue: a message move task."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.errors import explain, is_denied
from hello_queue.errors import HelloQueueError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

POLL_SECONDS = 1.0


def move_by_task(
    sqs: SQSClient,
    source_arn: str,
    destination_arn: str,
    *,
    progress: Callable[[int, int], None],
    report: Callable[[str], None],
) -> int:
    """Have SQS move all visible messages, and wait until it has. Returns how many it moved.

    Not for a FIFO queue: the messages keep their deduplication ids there, and SQS drops each one whose id it has seen
    within five minutes. On Ctrl-C the task is cancelled; what was moved stays moved. After a kill, or without a
    connection, it goes on: the next call follows it.

    Args:
        source_arn: the dead-letter queue.
        destination_arn: the queue that gets the messages. Without it SQS could not move messages that were sent to the
            dead-letter queue directly: the first one fails the task (CouldNotDetermineMessageSource).
        progress: called with the number of messages moved, and to move.
        report: takes a line for a person.

    Raises:
        HelloQueueError: the task failed, was cancelled or cannot be followed, or another one is running.
    """
    handle = _start(sqs, source_arn, destination_arn, report)
    try:
        while True:
            for task in sqs.list_message_move_tasks(SourceArn=source_arn, MaxResults=1)["Results"]:
                status = task.get("Status")
                moved = int(task.get("ApproximateNumberOfMessagesMoved", 0))
                total = int(task.get("ApproximateNumberOfMessagesToMove", 0))
                if status == "COMPLETED":
                    return moved
                if status in ("FAILED", "CANCELLED"):
                    reason = task.get("FailureReason", "no reason given")
                    raise HelloQueueError(
                        f"the message move task is {status} after {moved:,} messages: {reason}. The others are still "
                        "in the dead-letter queue: run the same command again to move them"
                    )
                progress(moved, total)
            time.sleep(POLL_SECONDS)  # SQS has no call that waits for a task
    except KeyboardInterrupt:
        sqs.cancel_message_move_task(TaskHandle=handle)
        raise
    except (ClientError, BotoCoreError) as error:
        explanation = explain(error)
        if explanation is None:
            raise
        raise HelloQueueError(
            f"{explanation}. The message move task may still be running: run the same command again to follow it"
        ) from error


def _start(sqs: SQSClient, source_arn: str, destination_arn: str, report: Callable[[str], None]) -> str:
    """Start a task, or find the one that is running: SQS runs one at a time. Returns its handle."""
    try:
        return sqs.start_message_move_task(SourceArn=source_arn, DestinationArn=destination_arn)["TaskHandle"]
    except ClientError as error:  # AWS does not document which one it is if a task is running
        if is_denied(error):
            raise
        tasks = sqs.list_message_move_tasks(SourceArn=source_arn, MaxResults=1)["Results"]
        if not tasks or "TaskHandle" not in tasks[0]:  # only a running one has a handle
            raise
    destination = tasks[0].get("DestinationArn", "the queues that they came from")
    if destination != destination_arn:
        raise HelloQueueError(
            f"a message move task is already running, which moves the messages to {destination}. Run the same command "
            "again when it has ended"
        )
    report("a message move task is already running: following it. Ctrl-C cancels it")
    return tasks[0]["TaskHandle"]

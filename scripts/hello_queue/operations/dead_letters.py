"""Look into a dead-letter queue, and move its messages back to where they failed.

SQS moves all of them itself by a message move task. Where there is none (the local AWS), or where some are picked, each
message is sent to the source queue first and deleted from the dead-letter queue after that: a crash in between leaves
it in both, and never in none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from hello_queue.aws.errors import error_code
from hello_queue.errors import HelloQueueError
from hello_queue.sqs.batches import Entry, batches
from hello_queue.sqs.handlers import Message, from_receive
from hello_queue.sqs.leases import Lease, Leases
from hello_queue.sqs.messages import size_of
from hello_queue.sqs.producer import Outcome, Producer
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES, attributes, give_back, is_fifo

HOLD_SECONDS = 60
"""For how long messages that are being looked at are hidden from others."""
POLL_SECONDS = 1.0
_NO_SUCH_CALL = {
    "InvalidAction",
    "UnknownOperationException",
    "UnsupportedOperation",
    "AWS.SimpleQueueService.UnsupportedOperation",
}
"""What an SQS answers that has no message move tasks."""


@dataclass(frozen=True)
class DeadLetter:
    """A message in the dead-letter queue: what it is, and what it takes to send or delete it."""

    message: Message
    received: dict[str, Any]

    @property
    def age_seconds(self) -> float | None:
        return None if self.message.sent_at is None else max(0.0, time.time() - self.message.sent_at)


def receive(sqs: Any, url: str, most: int | None = None) -> Iterator[list[DeadLetter]]:
    """Receive messages, ten at a time, until none are left or there are enough. They stay hidden for HOLD_SECONDS."""
    found = 0
    while most is None or found < most:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=MAX_BATCH_ENTRIES if most is None else min(MAX_BATCH_ENTRIES, most - found),
            WaitTimeSeconds=1,
            VisibilityTimeout=HOLD_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        received = answer.get("Messages", [])
        if not received:
            return
        found += len(received)
        yield [DeadLetter(from_receive(each), each) for each in received]


def peek(sqs: Any, url: str, most: int) -> list[DeadLetter]:
    """The first messages. They are given back; each look is one more receive, which costs nothing in a queue that has
    no dead-letter queue of its own."""
    letters: list[DeadLetter] = []
    try:
        for some in receive(sqs, url, most):
            letters += some
    finally:
        _give_back(sqs, url, letters)
    return letters


def _give_back(sqs: Any, url: str, letters: Sequence[DeadLetter]) -> None:
    give_back(sqs, url, [letter.received["ReceiptHandle"] for letter in letters])


def move_by_task(sqs: Any, source_arn: str, progress: Callable[[int, int], None]) -> int | None:
    """Have SQS move everything back where it came from. Returns how many it moved; None: this SQS has no such tasks.

    Interrupted, the task is cancelled; what was moved stays moved.

    Args:
        source_arn: the dead-letter queue's.
        progress: takes how many are moved, and of how many.

    Raises:
        HelloQueueError: the task failed.
    """
    try:
        handle = sqs.start_message_move_task(SourceArn=source_arn)["TaskHandle"]
    except ClientError as error:
        if error_code(error) in _NO_SUCH_CALL:
            return None
        raise
    while True:
        try:
            (task, *_) = sqs.list_message_move_tasks(SourceArn=source_arn, MaxResults=1)["Results"]
            moved, total = (
                int(task.get("ApproximateNumberOfMessagesMoved", 0)),
                int(task.get("ApproximateNumberOfMessagesToMove", 0)),
            )
            progress(moved, total)
            if task["Status"] == "COMPLETED":
                return moved
            if task["Status"] in ("FAILED", "CANCELLED"):
                reason = task.get("FailureReason", "no reason given")
                raise HelloQueueError(f"the message move task is {task['Status']} after {moved:,} messages: {reason}")
            time.sleep(POLL_SECONDS)  # SQS tells of a task's end to those who ask
        except KeyboardInterrupt:
            sqs.cancel_message_move_task(TaskHandle=handle)
            raise


class Mover:
    """Moves messages one by one: sends, then deletes.

    Args:
        sqs: a client.
        url: the dead-letter queue's.
        target: the URL of the queue to send to.
        producer: sends to the target.
        leases: deletes from the dead-letter queue.
        progress: takes how many are moved.
    """

    def __init__(
        self, sqs: Any, url: str, target: str, *, producer: Producer, leases: Leases, progress: Callable[[int], None]
    ) -> None:
        self._sqs = sqs
        self._url = url
        self._fifo = is_fifo(target)
        self._producer = producer
        self._leases = leases
        self._progress = progress
        self.moved = 0
        self.maybe_twice = 0

    def move_all(self) -> None:
        """Move until none are left, those included that somebody else was looking at when this began."""
        while True:
            for letters in receive(self._sqs, self._url):
                self._move(letters)
            if not self._left():
                return

    def move_picked(self, ids: set[str]) -> set[str]:
        """Move those with these message ids, and give back all others. Returns the ids that were not found."""
        others: list[DeadLetter] = []
        missing = set(ids)
        try:
            for letters in receive(self._sqs, self._url):
                picked = [letter for letter in letters if letter.message.id in missing]
                others += [letter for letter in letters if letter.message.id not in missing]
                self._move(picked)
                missing -= {letter.message.id for letter in picked}
                if not missing:
                    break
        finally:
            _give_back(self._sqs, self._url, others)
        return missing

    def _left(self) -> int:
        found = attributes(self._sqs, self._url)
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])

    def _move(self, letters: Sequence[DeadLetter]) -> None:
        """A crash after the sending leaves the messages in both queues: they come back here when HOLD_SECONDS are
        over.
        """
        until = time.monotonic() + HOLD_SECONDS
        leases = {
            number: Lease(letter.message, letter.received["ReceiptHandle"], until)
            for number, letter in enumerate(letters)
        }
        entries = [self._entry(number, letter) for number, letter in enumerate(letters)]
        for batch in batches(entries):
            outcome = Outcome()
            self._producer.send(batch, outcome)
            self._leases.delete([leases[number] for number in outcome.sent])
            self.moved += len(outcome.sent)
            self.maybe_twice += outcome.maybe_twice
            self._progress(self.moved)
            if outcome.refused:
                number, _, reason = outcome.refused[0]
                raise HelloQueueError(f"message {letters[number].message.id} cannot be sent, and stays: {reason}")
            if outcome.error is not None:
                raise outcome.error

    def _entry(self, number: int, letter: DeadLetter) -> Entry:
        """The message as it was sent first. In a FIFO queue it has a deduplication id that is the same at a second
        attempt, and differs from its first one, which SQS may remember."""
        received = letter.received
        parameters: dict[str, Any] = {"MessageBody": received["Body"]}
        if received.get("MessageAttributes"):
            parameters["MessageAttributes"] = received["MessageAttributes"]
        if letter.message.group is not None:
            parameters["MessageGroupId"] = letter.message.group
        if self._fifo:
            parameters["MessageDeduplicationId"] = f"redrive-{letter.message.id}"
        return Entry(number, b"", parameters, size_of(parameters))

"""Look into a dead-letter queue, and move messages from it to the queue in which they failed.

SQS moves all messages of a standard queue itself, by a message move task. Selected messages, and those of a FIFO queue,
are moved here, by `Mover`: each is sent to the other queue first and then deleted from the dead-letter queue. A crash
in between leaves it in both queues, never in neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hello_queue.errors import HelloQueueError
from hello_queue.sqs.batches import Entry, batches
from hello_queue.sqs.handlers import Message, from_receive
from hello_queue.sqs.leases import Lease, Leases
from hello_queue.sqs.messages import size_of
from hello_queue.sqs.producer import Outcome, Producer
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES, give_back, is_fifo

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

HOLD_SECONDS = 60
"""The visibility timeout of messages received here."""
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class DeadLetter:
    """A message received from the dead-letter queue.

    Attributes:
        message: its content.
        received: the entry of ReceiveMessage's response.
    """

    message: Message
    received: MessageTypeDef

    @property
    def age_seconds(self) -> float | None:
        return None if self.message.sent_at is None else max(0.0, time.time() - self.message.sent_at)

    @property
    def source_arn(self) -> str | None:
        """The queue from which SQS moved it here; None: it was sent to the dead-letter queue directly."""
        return self.received.get("Attributes", {}).get("DeadLetterQueueSourceArn")


def receive(sqs: SQSClient, url: str, limit: int | None = None) -> Iterator[list[DeadLetter]]:
    """Receive messages, up to ten at a time, until the queue is empty or the limit is reached.

    They stay hidden from others for HOLD_SECONDS.
    """
    count = 0
    while limit is None or count < limit:
        response = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=MAX_BATCH_ENTRIES if limit is None else min(MAX_BATCH_ENTRIES, limit - count),
            WaitTimeSeconds=1,
            VisibilityTimeout=HOLD_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        received = response.get("Messages", [])
        if not received:
            return
        count += len(received)
        yield [DeadLetter(from_receive(each), each) for each in received]


def peek(sqs: SQSClient, url: str, limit: int) -> list[DeadLetter]:
    """Receive the first messages and make them visible again. It adds one to their receive counts, which has no effect
    in a queue that has no dead-letter queue itself."""
    found: list[DeadLetter] = []
    try:
        for some in receive(sqs, url, limit):
            found += some
    finally:
        _give_back(sqs, url, found)
    return found


def _give_back(sqs: SQSClient, url: str, dead_letters: Sequence[DeadLetter]) -> None:
    give_back(sqs, url, [each.received["ReceiptHandle"] for each in dead_letters])


def move_by_task(sqs: SQSClient, source_arn: str, destination_arn: str, progress: Callable[[int, int], None]) -> int:
    """Have SQS move all visible messages, and wait until it has. Returns how many it moved.

    Not for a FIFO queue: the messages keep their deduplication ids there, and SQS drops each one whose id it has seen
    within five minutes. On Ctrl-C the task is cancelled; what was moved stays moved.

    Args:
        source_arn: the dead-letter queue.
        destination_arn: the queue that gets the messages. Without it SQS could not move messages that were sent to the
            dead-letter queue directly: the first one fails the task (CouldNotDetermineMessageSource).
        progress: called with the number of messages moved, and to move.

    Raises:
        HelloQueueError: the task failed or was cancelled.
    """
    handle = sqs.start_message_move_task(SourceArn=source_arn, DestinationArn=destination_arn)["TaskHandle"]
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
                        "in the dead-letter queue"
                    )
                progress(moved, total)
            time.sleep(POLL_SECONDS)  # SQS has no call that waits for a task
    except KeyboardInterrupt:
        sqs.cancel_message_move_task(TaskHandle=handle)
        raise


class Mover:
    """Moves messages one by one: sends, then deletes.

    In a FIFO queue a message gets a new deduplication id, which SQS cannot have seen.

    Args:
        sqs: a client.
        url: the URL of the dead-letter queue.
        target: the URL of the queue to send to.
        producer: sends to the target.
        leases: deletes from the dead-letter queue.
        progress: called with the number of messages moved.

    Attributes:
        moved: the number of messages moved so far.
        maybe_twice: how many of them may be in the target twice.
    """

    def __init__(
        self,
        sqs: SQSClient,
        url: str,
        target: str,
        *,
        producer: Producer,
        leases: Leases,
        progress: Callable[[int], None],
    ) -> None:
        self._sqs = sqs
        self._url = url
        self._fifo = is_fifo(target)
        self._producer = producer
        self._leases = leases
        self._progress = progress
        self.moved = 0
        self.maybe_twice = 0

    def move(self, ids: Collection[str] = ()) -> set[str]:
        """Move the messages with these ids, and make all others visible again. Without ids, move all that are visible.

        Returns:
            The ids that were not found.

        Raises:
            HelloQueueError: a message cannot be sent. It stays in the dead-letter queue.
        """
        others: list[DeadLetter] = []
        missing = set(ids)
        try:
            for found in receive(self._sqs, self._url):
                selected = [each for each in found if not ids or each.message.id in missing]
                others += [each for each in found if ids and each.message.id not in missing]
                self._move(selected)
                missing -= {each.message.id for each in selected}
                if ids and not missing:
                    break
        finally:
            _give_back(self._sqs, self._url, others)
        return missing

    def _move(self, dead_letters: Sequence[DeadLetter]) -> None:
        """After a crash between sending and deleting, the messages are in both queues: they are visible in the
        dead-letter queue again after HOLD_SECONDS.
        """
        until = time.monotonic() + HOLD_SECONDS
        leases = [Lease(each.message, each.received["ReceiptHandle"], until) for each in dead_letters]
        entries = [self._entry(number, each) for number, each in enumerate(dead_letters)]
        for batch in batches(entries):
            outcome = Outcome()
            self._producer.send(batch, outcome)
            self._leases.delete([leases[number] for number in outcome.sent])
            self.moved += len(outcome.sent)
            self.maybe_twice += outcome.maybe_twice
            self._progress(self.moved)
            if outcome.refused:
                number, _, reason = outcome.refused[0]
                refused = dead_letters[number].message.id
                raise HelloQueueError(f"message {refused} cannot be sent, and stays in the dead-letter queue: {reason}")
            if outcome.error is not None:
                raise outcome.error

    def _entry(self, number: int, dead_letter: DeadLetter) -> Entry:
        """The message as it was first sent. In a FIFO queue its deduplication id is the same at each attempt to move
        it, and differs from the one that it was sent with, which SQS may remember."""
        received = dead_letter.received
        parameters: dict[str, Any] = {"MessageBody": received["Body"]}
        if received.get("MessageAttributes"):
            parameters["MessageAttributes"] = received["MessageAttributes"]
        if dead_letter.message.group is not None:
            parameters["MessageGroupId"] = dead_letter.message.group
        if self._fifo:
            parameters["MessageDeduplicationId"] = f"redrive-{dead_letter.message.id}"
        return Entry(number, b"", parameters, size_of(parameters))

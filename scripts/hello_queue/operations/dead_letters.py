"""Look into a dead-letter queue, and move messages from it to the queue in which they failed.

SQS moves all messages of a standard queue itself, by a message move task. Selected messages, and those of a FIFO queue,
are moved here, by `Mover`: each is sent to the other queue first and then deleted from the dead-letter queue. A crash
in between leaves it in both queues, never in neither.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hello_queue.errors import HelloQueueError
from hello_queue.sqs.batches import Entry, batches
from hello_queue.sqs.checksums import is_intact
from hello_queue.sqs.handlers import Message, from_receive
from hello_queue.sqs.leases import Counts, Lease, Leases
from hello_queue.sqs.messages import size_of
from hello_queue.sqs.producer import Outcome, Producer
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES, give_back, is_fifo
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.transports import Transport

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

    def lease(self, until: float) -> Lease:
        return Lease(self.message, self.received["ReceiptHandle"], until)

    @property
    def source_arn(self) -> str | None:
        """The queue from which SQS moved it here; None: it was sent to the dead-letter queue directly."""
        return self.received.get("Attributes", {}).get("DeadLetterQueueSourceArn")


def _receive(sqs: SQSClient, url: str, limit: int) -> Iterator[list[DeadLetter]]:
    """Receive messages, up to ten at a time, until the queue is empty or the limit is reached.

    They stay hidden from others for HOLD_SECONDS.
    """
    count = 0
    while count < limit:
        response = sqs.receive_message(**_receive_parameters(url, min(MAX_BATCH_ENTRIES, limit - count)))
        received = response.get("Messages", [])
        if not received:
            return
        count += len(received)
        yield [DeadLetter(from_receive(each), each) for each in received]


def _receive_parameters(url: str, limit: int) -> Any:
    return {
        "QueueUrl": url,
        "MaxNumberOfMessages": limit,
        "WaitTimeSeconds": 1,
        "VisibilityTimeout": HOLD_SECONDS,
        "MessageAttributeNames": ["All"],
        "MessageSystemAttributeNames": ["All"],
    }


def peek(sqs: SQSClient, url: str, limit: int) -> list[DeadLetter]:
    """Receive the first messages and make them visible again. It adds one to their receive counts, which has no effect
    in a queue that has no dead-letter queue itself."""
    found: list[DeadLetter] = []
    try:
        for some in _receive(sqs, url, limit):
            found += some
    finally:
        give_back(sqs, url, [each.received["ReceiptHandle"] for each in found])
    return found


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
        transport: calls SQS.
        url: the URL of the dead-letter queue.
        target: the URL of the queue to send to.
        retry_policy: how long to retry transient errors.
        report: takes a line for a person.
        progress: called with the number of messages moved.

    Attributes:
        moved: the number of messages moved so far.
        maybe_twice: how many of them may be in the target twice.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        target: str,
        *,
        retry_policy: RetryPolicy,
        report: Callable[[str], None],
        progress: Callable[[int], None],
    ) -> None:
        self._transport = transport
        self._url = url
        self._fifo = is_fifo(target)
        self._producer = Producer(transport, target, retry_policy)
        self._leases = Leases(
            transport,
            transport,
            url,
            visibility_timeout=HOLD_SECONDS,
            retry_policy=retry_policy,
            report=report,
            counts=Counts(),
        )
        self._report = report
        self._progress = progress
        self.moved = 0
        self.maybe_twice = 0

    async def move(self, ids: Collection[str] = ()) -> set[str]:
        """Move the messages with these ids, and make all others visible again. Without ids, move all that are visible.

        Returns:
            The ids that were not found.

        Raises:
            HelloQueueError: a message cannot be sent. It stays in the dead-letter queue.
        """
        others: list[Lease] = []
        missing = set(ids)
        try:
            while True:
                received, until = await self._receive()
                if not received:
                    break
                found = [each for each in received if self._is_intact(each)]
                selected = [each for each in found if not ids or each.message.id in missing]
                others += [each.lease(until) for each in found if ids and each.message.id not in missing]
                await self._move(selected, until)
                missing -= {each.message.id for each in selected}
                if ids and not missing:
                    break
        finally:
            await self._leases.give_back(others)
        return missing

    async def _receive(self) -> tuple[list[DeadLetter], float]:
        """The next messages, and how long they are hidden from others (the event loop's clock, seconds)."""
        until = asyncio.get_running_loop().time() + HOLD_SECONDS
        answer = await self._transport.call("ReceiveMessage", _receive_parameters(self._url, MAX_BATCH_ENTRIES))
        return [DeadLetter(from_receive(each), each) for each in answer.get("Messages", ())], until

    def _is_intact(self, dead_letter: DeadLetter) -> bool:
        """A message that was altered on its way stays in the dead-letter queue: only what was sent is deleted."""
        if is_intact(dead_letter.received):
            return True
        self._report(
            f"message {dead_letter.message.id} is not moved, because its content does not match SQS's MD5 digest. Try "
            "again in a minute"
        )
        return False

    async def _move(self, dead_letters: Sequence[DeadLetter], until: float) -> None:
        """After a crash between sending and deleting, the messages are in both queues: they are visible in the
        dead-letter queue again after HOLD_SECONDS.
        """
        entries = [self._entry(number, each) for number, each in enumerate(dead_letters)]
        for batch in batches(entries):
            outcome = Outcome()
            await self._producer.deliver(batch, outcome)
            await self._leases.delete([dead_letters[number].lease(until) for number in outcome.sent])
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

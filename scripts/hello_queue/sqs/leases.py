"""How long a received message is reserved for this consumer, and how that time is extended or ended.

SQS hides a received message for the visibility timeout. Deleting it after that can delete a message that another
consumer is handling. A lease therefore has the latest time at which its message is certainly hidden, counted from
before the call that received or extended it: an answer that is delayed on the network does not prolong it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore import exceptions as aws

from hello_queue.aws.errors import explain
from hello_queue.sqs.handlers import Message
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES
from hello_queue.sqs.retries import RetryPolicy, is_final, is_transient, may_have_acted, reason_of

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import DeleteMessageBatchResultTypeDef

_UNKNOWN = {"ReceiptHandleIsInvalid", "InvalidParameterValue"}
"""Error codes for a receipt handle whose message no longer exists."""


@dataclass(slots=True, eq=False)
class Lease:
    """A message that is reserved for this consumer for a time.

    Attributes:
        message: what the handler gets.
        receipt_handle: what SQS knows this receive by.
        until: when it may become visible to other consumers (`time.monotonic`, seconds).
        started_at: when its handler was called (`time.monotonic`, seconds); None: not yet.
        lost: SQS answered that the receipt handle is no longer valid.
        over: it needs no extension any more: the message was deleted, failed, or was returned to the queue.
        reported: its handler was reported as too slow.
    """

    message: Message
    receipt_handle: str
    until: float
    started_at: float | None = None
    lost: bool = False
    over: bool = False
    reported: bool = False

    @property
    def held(self) -> bool:
        """Whether its message is certainly hidden from other consumers."""
        return not self.lost and time.monotonic() < self.until


class Counts:
    """Counts messages by what happened to them. Threads may share it.

    received: by ReceiveMessage.
    processed: handled and deleted.
    failed: the handler raised an exception.
    postponed: the handler raised RetryLater.
    expired: handled, but not deleted, because the visibility timeout had expired.
    undeleted: handled, but SQS did not delete it.
    returned: not handled, and visible again.
    """

    NAMES = ("received", "processed", "failed", "postponed", "expired", "undeleted", "returned")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = dict.fromkeys(self.NAMES, 0)

    def add(self, name: str, number: int = 1) -> None:
        with self._lock:
            self._numbers[name] += number

    def __getitem__(self, name: str) -> int:
        return self._numbers[name]

    def snapshot(self) -> dict[str, int]:
        with self._lock:
            return dict(self._numbers)


class Leases:
    """Extends, returns, and ends the leases of one queue. Threads may share it.

    Args:
        sqs: a client.
        url: the queue's.
        visibility_timeout: for how many seconds an extension hides a message.
        retry_policy: how long to repeat deletes that fail with a transient error.
        tell: takes a line for a person.
        counts: counts what became of the messages.
        heartbeat_sqs: the client for `extend`. Its read timeout should be much shorter than the visibility timeout, so
            that one call without an answer does not let other leases expire. Default: ``sqs``.
    """

    def __init__(
        self,
        sqs: SQSClient,
        url: str,
        *,
        visibility_timeout: int,
        retry_policy: RetryPolicy,
        tell: Callable[[str], None],
        counts: Counts,
        heartbeat_sqs: SQSClient | None = None,
    ) -> None:
        self._sqs = sqs
        self._heartbeat_sqs = heartbeat_sqs or sqs
        self._url = url
        self._timeout = visibility_timeout
        self._retry_policy = retry_policy
        self._tell = tell
        self._counts = counts

    def delete(self, leases: Sequence[Lease]) -> None:
        """Delete messages that were handled. One whose visibility timeout has expired is reported and not deleted.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the error is not transient, or lasted too long.
        """
        for start in range(0, len(leases), MAX_BATCH_ENTRIES):
            self._delete(list(leases[start : start + MAX_BATCH_ENTRIES]))

    def extend(self, leases: Sequence[Lease]) -> None:
        """Hide the messages for another visibility timeout. Tries once: the next heartbeat tries again."""
        self._change(self._heartbeat_sqs, leases, self._timeout)

    def give_back(self, leases: Sequence[Lease]) -> None:
        """Return the messages to the queue, visible at once. If that fails, they are after the visibility timeout."""
        self._change(self._sqs, leases, 0)
        for lease in leases:
            lease.over = True
        self._counts.add("returned", len(leases))

    def postpone(self, lease: Lease, seconds: int) -> None:
        """Make the message visible in so many seconds. If that fails, it is after the visibility timeout."""
        self._change(self._sqs, [lease], seconds)
        lease.over = True

    def _delete(self, pending: list[Lease]) -> None:
        attempt = 0
        uncertain = False
        try:
            while pending := self._held(pending):
                attempt += 1
                trouble: aws.ClientError | aws.BotoCoreError | str
                try:
                    answer = self._sqs.delete_message_batch(
                        QueueUrl=self._url,
                        Entries=[
                            {"Id": str(number), "ReceiptHandle": lease.receipt_handle}
                            for number, lease in enumerate(pending)
                        ],
                    )
                except (aws.ClientError, aws.BotoCoreError) as error:
                    if not is_transient(error):
                        raise
                    uncertain = uncertain or may_have_acted(error)
                    trouble = error
                else:
                    self._retry_policy.succeeded()
                    pending, trouble = self._settle(answer, pending, uncertain)
                if pending:
                    self._retry_policy.wait(attempt, trouble)
        except Exception:
            self._counts.add("undeleted", len(pending))
            raise

    def _held(self, leases: list[Lease]) -> list[Lease]:
        held = []
        for lease in leases:
            if lease.held:
                held.append(lease)
            else:
                lease.over = True
                self._counts.add("expired")
                self._tell(
                    f"message {lease.message.id} was handled, but not deleted: its visibility timeout had expired. "
                    "It will be received again"
                )
        return held

    def _settle(
        self, answer: DeleteMessageBatchResultTypeDef, leases: list[Lease], uncertain: bool
    ) -> tuple[list[Lease], str]:
        """Record what SQS did. Returns the leases to try again, and why.

        ``uncertain``: the answer to an earlier attempt was lost, so that a message SQS does not know was deleted by it.
        """
        settled = {int(success["Id"]) for success in answer.get("Successful", [])}
        if uncertain:
            settled |= {int(each["Id"]) for each in answer.get("Failed", []) if each["Code"] in _UNKNOWN}
        self._counts.add("processed", len(settled))
        trouble = "SQS did not answer for every message of a batch"
        for failure in answer.get("Failed", []):
            number = int(failure["Id"])
            if number in settled:
                continue
            reason = reason_of(failure)
            if is_final(failure):
                settled.add(number)
                self._counts.add("undeleted")
                self._tell(f"message {leases[number].message.id} was handled, but SQS did not delete it: {reason}")
            else:
                trouble = f"SQS did not delete a message: {reason}"
        for number in settled:
            leases[number].over = True
        return [lease for number, lease in enumerate(leases) if number not in settled], trouble

    def _change(self, sqs: SQSClient, leases: Sequence[Lease], seconds: int) -> None:
        for start in range(0, len(leases), MAX_BATCH_ENTRIES):
            batch = leases[start : start + MAX_BATCH_ENTRIES]
            now = time.monotonic()
            try:
                answer = sqs.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": lease.receipt_handle, "VisibilityTimeout": seconds}
                        for number, lease in enumerate(batch)
                    ],
                )
            except (aws.ClientError, aws.BotoCoreError) as error:
                self._tell(f"the visibility timeout of {len(batch)} messages was not changed: {explain(error)}")
                continue
            for success in answer.get("Successful", []):
                batch[int(success["Id"])].until = now + seconds
            for failure in answer.get("Failed", []):
                # Another consumer has received it, or it was deleted.
                if is_final(failure):
                    batch[int(failure["Id"])].lost = True

"""The time that a received message is ours, and how it is kept, given back or ended.

SQS hides a received message for the visibility timeout. Who deletes it after that may delete what another consumer is
working on. Here each message has the latest time at which it is surely still ours, counted from before the call that
got it was made: an answer that was long on its way cannot make it look longer than it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore import exceptions as aws

from hello_queue.aws.errors import explain
from hello_queue.sqs.handlers import Message
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES
from hello_queue.sqs.retries import RetryPolicy, is_final, is_transient, may_have_acted, reason_of

_UNKNOWN = {"ReceiptHandleIsInvalid", "InvalidParameterValue"}
"""What a receipt handle gets that belongs to no message any more."""


@dataclass(slots=True, eq=False)
class Lease:
    """A message that is ours for a time.

    Attributes:
        message: what the handler gets.
        receipt_handle: what SQS knows this receive by.
        until: when it may become visible to others (`time.monotonic`).
        started_at: when its handler was called; None: not yet.
        lost: SQS said that it is no longer ours.
        over: it needs no more keeping: it was deleted, failed, or was given back.
        told: its handler has been told of as too slow.
    """

    message: Message
    receipt_handle: str
    until: float
    started_at: float | None = None
    lost: bool = False
    over: bool = False
    told: bool = False

    @property
    def held(self) -> bool:
        """Whether it is surely ours."""
        return not self.lost and time.monotonic() < self.until


class Counts:
    """What happened to how many messages. Threads may share it."""

    NAMES = ("received", "processed", "failed", "postponed", "lost", "undeleted", "given_back")

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
    """Extends, gives back and ends the leases of one queue. Threads may share it.

    Args:
        sqs: a client.
        url: the queue's.
        visibility_timeout: for how many seconds a message is ours at a time.
        patience: how long to repeat what may pass.
        tell: takes a line for a person.
        counts: gets what became of the leases.
    """

    def __init__(
        self,
        sqs: Any,
        url: str,
        *,
        visibility_timeout: int,
        patience: RetryPolicy,
        tell: Callable[[str], None],
        counts: Counts,
    ) -> None:
        self._sqs = sqs
        self._url = url
        self._timeout = visibility_timeout
        self._patience = patience
        self._tell = tell
        self._counts = counts

    def delete(self, leases: Sequence[Lease]) -> None:
        """Delete what was handled. What is no longer ours stays, is told and comes again.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: no further call would help.
        """
        for start in range(0, len(leases), MAX_BATCH_ENTRIES):
            self._delete(list(leases[start : start + MAX_BATCH_ENTRIES]))

    def extend(self, leases: Sequence[Lease]) -> None:
        """Keep the messages for another visibility timeout. Tries once: there is another time, or it is too late."""
        self._change(leases, self._timeout)

    def give_back(self, leases: Sequence[Lease]) -> None:
        """Have the messages visible again at once. If that fails, they are after the visibility timeout."""
        self._change(leases, 0)
        for lease in leases:
            lease.over = True
        self._counts.add("given_back", len(leases))

    def postpone(self, lease: Lease, seconds: int) -> None:
        """Have the message come again after so many seconds. If that fails, it does after the visibility timeout."""
        self._change([lease], seconds)
        lease.over = True

    def _delete(self, pending: list[Lease]) -> None:
        attempt = 0
        uncertain = False
        try:
            while pending := self._still_ours(pending):
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
                    self._patience.succeeded()
                    pending, trouble = self._deleted(answer, pending, uncertain)
                if pending:
                    self._patience.wait(attempt, trouble)
        except Exception:
            self._counts.add("undeleted", len(pending))
            raise

    def _still_ours(self, leases: list[Lease]) -> list[Lease]:
        ours = []
        for lease in leases:
            if lease.held:
                ours.append(lease)
            else:
                lease.over = True
                self._counts.add("lost")
                self._tell(
                    f"message {lease.message.id} was handled, but is not deleted: its visibility timeout was over "
                    "before. It comes again"
                )
        return ours

    def _deleted(self, answer: Any, leases: list[Lease], uncertain: bool) -> tuple[list[Lease], str]:
        """Settle what the answer settles. Returns what stays, and why.

        ``uncertain``: the answer to an earlier attempt was lost, so that what SQS no longer knows was deleted by that.
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
                self._tell(f"message {leases[number].message.id} was handled, but SQS does not delete it: {reason}")
            else:
                trouble = f"SQS did not delete a message: {reason}"
        for number in settled:
            leases[number].over = True
        return [lease for number, lease in enumerate(leases) if number not in settled], trouble

    def _change(self, leases: Sequence[Lease], seconds: int) -> None:
        for start in range(0, len(leases), MAX_BATCH_ENTRIES):
            batch = leases[start : start + MAX_BATCH_ENTRIES]
            now = time.monotonic()
            try:
                answer = self._sqs.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": lease.receipt_handle, "VisibilityTimeout": seconds}
                        for number, lease in enumerate(batch)
                    ],
                )
            except (aws.ClientError, aws.BotoCoreError) as error:
                self._tell(f"the visibility of {len(batch)} messages could not be changed: {explain(error)}")
                continue
            for success in answer.get("Successful", []):
                batch[int(success["Id"])].until = now + seconds
            for failure in answer.get("Failed", []):
                # Some other consumer has it by now, or it was deleted.
                if is_final(failure):
                    batch[int(failure["Id"])].lost = True

"""How long a received message is reserved for this consumer, and how that time is extended or ended.

SQS hides a received message for the visibility timeout. Deleting it after that can delete a message that another
consumer is handling. A lease therefore has the latest time at which its message is certainly hidden, counted from
before the call that received or extended it: an answer that is delayed on the network does not prolong it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore import exceptions as aws

from hello_queue.aws.errors import explain
from hello_queue.sqs.handlers import Message
from hello_queue.sqs.notices import Notice, Report
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES
from hello_queue.sqs.retries import REPORT_SECONDS, RetryPolicy, is_final, is_transient, may_have_acted, reason_of
from hello_queue.sqs.transports import Transport

_UNKNOWN = {"ReceiptHandleIsInvalid", "InvalidParameterValue"}
"""What a receipt handle gets that belongs to no message any more."""


@dataclass(slots=True, eq=False)
class Lease:
    """A message that is reserved for this consumer for a time.

    Attributes:
        message: what the handler gets.
        receipt_handle: what SQS knows this receive by.
        until: when it may become visible to other consumers (the event loop's clock, seconds).
        started_at: when its handler was called (the event loop's clock, seconds); None: not yet.
        handled: its handler has returned, and it is to be deleted.
        lost: SQS answered that the receipt handle is no longer valid.
        over: it needs no extension any more: the message was deleted, failed, or was returned to the queue.
        reported: its handler was reported as too slow.
    """

    message: Message
    receipt_handle: str
    until: float
    started_at: float | None = None
    handled: bool = False
    lost: bool = False
    over: bool = False
    reported: bool = False

    def is_held(self, now: float) -> bool:
        """Whether its message is certainly hidden from other consumers."""
        return not self.lost and now < self.until


class Counts:
    """Counts messages by what happened to them.

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
        self._numbers = dict.fromkeys(self.NAMES, 0)

    def add(self, name: str, number: int = 1) -> None:
        self._numbers[name] += number

    def __getitem__(self, name: str) -> int:
        return self._numbers[name]

    def snapshot(self) -> dict[str, int]:
        return dict(self._numbers)


class Leases:
    """Extends, returns, and ends the leases of one queue.

    Args:
        transport: calls SQS.
        heartbeats: calls SQS for extensions, over connections of its own.
        url: the queue's.
        visibility_timeout: for how many seconds an extension hides a message.
        heartbeat_timeout: how many seconds to wait for the answer to an extension. It should be much shorter than the
            visibility timeout, so that one call without an answer does not let leases expire.
        retry_policy: how long to retry deletes that fail with a transient error.
        report: see `hello_queue.sqs.notices`.
        counts: counts what became of the messages.
    """

    def __init__(
        self,
        transport: Transport,
        heartbeats: Transport,
        url: str,
        *,
        visibility_timeout: int,
        heartbeat_timeout: float = 5,
        retry_policy: RetryPolicy,
        report: Report,
        counts: Counts,
    ) -> None:
        self._transport = transport
        self._heartbeats = heartbeats
        self._url = url
        self._timeout = visibility_timeout
        self._heartbeat_timeout = heartbeat_timeout
        self._retry_policy = retry_policy
        self._report = report
        self._counts = counts
        self._unchanged = 0  # messages whose visibility timeout could not be changed, since the last report
        self._reported_at = float("-inf")

    async def delete(self, leases: Sequence[Lease]) -> None:
        """Delete up to ten messages that were handled. One whose visibility timeout has expired is reported and not
        deleted: it is received again.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: no further call would help.
            Stopped: the retries were stopped.
        """
        pending = list(leases)
        attempt = 0
        uncertain = False
        try:
            while pending := self._still_ours(pending):
                attempt += 1
                trouble: Exception | str
                entries = [
                    {"Id": str(number), "ReceiptHandle": each.receipt_handle} for number, each in enumerate(pending)
                ]
                try:
                    answer = await self._transport.call(
                        "DeleteMessageBatch", {"QueueUrl": self._url, "Entries": entries}
                    )
                except (aws.ClientError, aws.BotoCoreError) as error:
                    if not is_transient(error):
                        raise
                    uncertain = uncertain or may_have_acted(error)
                    trouble = error
                else:
                    self._retry_policy.succeeded()
                    pending, trouble = self._deleted(answer, pending, uncertain)
                if pending:
                    await self._retry_policy.wait(attempt, trouble)
        except BaseException:
            self._counts.add("undeleted", len(pending))
            raise

    async def extend(self, leases: Sequence[Lease]) -> None:
        """Hold the messages for another visibility timeout. Tries once: there is another time, or it is too late."""
        await asyncio.gather(
            *(
                self._change(self._heartbeats, leases[start : start + MAX_BATCH_ENTRIES], self._timeout)
                for start in range(0, len(leases), MAX_BATCH_ENTRIES)
            )
        )

    async def give_back(self, leases: Sequence[Lease]) -> None:
        """Make the messages visible again at once. If that fails, they are after the visibility timeout."""
        for lease in leases:
            lease.over = True
        self._counts.add("returned", len(leases))
        for start in range(0, len(leases), MAX_BATCH_ENTRIES):
            await self._change(self._transport, leases[start : start + MAX_BATCH_ENTRIES], 0)

    async def postpone(self, lease: Lease, seconds: int) -> None:
        """Make the message visible again after so many seconds. If that fails, it is after the visibility timeout."""
        lease.over = True
        await self._change(self._transport, [lease], seconds)

    def _still_ours(self, leases: list[Lease]) -> list[Lease]:
        now = asyncio.get_running_loop().time()
        ours = []
        for lease in leases:
            if lease.is_held(now):
                ours.append(lease)
            else:
                lease.over = True
                self._counts.add("expired")
                text = (
                    f"message {lease.message.id} was handled, but not deleted: its visibility timeout had expired. "
                    "It will be received again"
                )
                self._report(Notice(text, message=lease.message))
        return ours

    def _deleted(self, answer: Any, leases: list[Lease], uncertain: bool) -> tuple[list[Lease], str]:
        """Settle what the answer settles. Returns what is left, and why.

        ``uncertain``: the response to an earlier attempt was lost. What SQS no longer knows was deleted by that one.
        """
        settled = {int(success["Id"]) for success in answer.get("Successful", ())}
        failed = answer.get("Failed", ())
        if uncertain:
            settled |= {int(each["Id"]) for each in failed if each["Code"] in _UNKNOWN}
        self._counts.add("processed", len(settled))
        trouble = "SQS did not answer for every message of a batch"
        for failure in failed:
            number = int(failure["Id"])
            if number in settled:
                continue
            reason = reason_of(failure)
            if is_final(failure):
                settled.add(number)
                self._counts.add("undeleted")
                message = leases[number].message
                text = f"message {message.id} was handled, but SQS does not delete it: {reason}"
                self._report(Notice(text, level=logging.ERROR, message=message))
            else:
                trouble = f"SQS did not delete a message: {reason}"
        for number in settled:
            leases[number].over = True
        return [lease for number, lease in enumerate(leases) if number not in settled], trouble

    def _could_not_change(self, number: int, error: aws.ClientError | aws.BotoCoreError) -> None:
        """Report it at once, and while it lasts at intervals, with what came together since the last report."""
        self._unchanged += number
        now = asyncio.get_running_loop().time()
        if now - self._reported_at > REPORT_SECONDS:
            self._reported_at = now
            messages = "1 message" if self._unchanged == 1 else f"{self._unchanged:,} messages"
            self._report(Notice(f"the visibility timeout of {messages} could not be changed: {explain(error)}"))
            self._unchanged = 0

    async def _change(self, transport: Transport, leases: Sequence[Lease], seconds: int) -> None:
        now = asyncio.get_running_loop().time()
        entries = [
            {"Id": str(number), "ReceiptHandle": lease.receipt_handle, "VisibilityTimeout": seconds}
            for number, lease in enumerate(leases)
        ]
        parameters = {"QueueUrl": self._url, "Entries": entries}
        try:
            answer = await transport.call("ChangeMessageVisibilityBatch", parameters, self._heartbeat_timeout)
        except (aws.ClientError, aws.BotoCoreError) as error:
            self._could_not_change(len(leases), error)
            return
        for success in answer.get("Successful", ()):
            leases[int(success["Id"])].until = now + seconds
        for failure in answer.get("Failed", ()):
            if is_final(failure):  # another consumer has it by now, or it was deleted
                leases[int(failure["Id"])].lost = True

"""Sends messages, and reports what happened to each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore import exceptions as aws

from hello_queue.sqs.batches import Entry
from hello_queue.sqs.queues import is_fifo
from hello_queue.sqs.retries import RetryPolicy, is_final, is_transient, may_have_acted, reason_of

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@dataclass(slots=True)
class Outcome:
    """What happened to some lines. Of a line that is in no list, nothing is known.

    Attributes:
        sent: the numbers of the lines that SQS has accepted.
        refused: number, raw line and reason of each line that cannot be sent. The raw line is None if it is too long
            to be kept.
        blank: the numbers of blank lines that were left out.
        maybe_twice: how many of the sent messages may be in the queue twice, because a response was lost.
        error: what ended the attempts early.
    """

    sent: list[int] = field(default_factory=list)
    refused: list[tuple[int, bytes | None, str]] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    maybe_twice: int = 0
    error: Exception | None = None


class Producer:
    """Sends to one queue. Threads may share it.

    Args:
        sqs: a client. It needs no retries of its own.
        url: the queue's URL.
        retry_policy: how long transient errors are retried.
    """

    def __init__(self, sqs: SQSClient, url: str, retry_policy: RetryPolicy) -> None:
        self._sqs = sqs
        self._url = url
        self._deduplicates = is_fifo(url)
        self._retry_policy = retry_policy

    def send(self, batch: Sequence[Entry], outcome: Outcome) -> None:
        """Send up to ten messages, repeating the call as needed, and record in ``outcome`` what happened to them.

        Once a message is among the sent ones, SQS keeps it. A crash in here leaves messages that may have been sent:
        sending them again may duplicate them (in a FIFO queue, the deduplication ID prevents that for five minutes).
        A message that SQS does not accept at first follows those of its batch that it did accept.
        """
        pending = dict(enumerate(batch))
        uncertain: set[int] = set()
        until = time.monotonic() + self._retry_policy.seconds
        attempt = 0
        while pending:
            attempt += 1
            reason: aws.ClientError | aws.BotoCoreError | str
            try:
                response = self._sqs.send_message_batch(
                    QueueUrl=self._url,
                    Entries=[{"Id": str(number), **entry.parameters} for number, entry in pending.items()],  # type: ignore[typeddict-item]
                )
            except (aws.ClientError, aws.BotoCoreError) as error:
                if not is_transient(error):
                    outcome.error = error
                    return
                if may_have_acted(error) and not self._deduplicates:
                    uncertain.update(pending)
                reason = error
            else:
                self._retry_policy.succeeded()
                reason = _settle(response, pending, uncertain, outcome, final=time.monotonic() >= until)
            if pending:
                try:
                    self._retry_policy.wait(attempt, reason)
                except Exception as error:
                    outcome.error = error
                    return


def _settle(
    response: Mapping[str, Any], pending: dict[int, Entry], uncertain: set[int], outcome: Outcome, *, final: bool
) -> str:
    """Remove the settled entries from the pending ones. Returns why the others, if any, are still pending.

    Args:
        final: this was the last attempt: failed entries are refused, whatever the reason.
    """
    reason = "SQS did not answer for every message of a batch"
    for success in response.get("Successful", []):
        number = int(success["Id"])
        outcome.sent.append(pending.pop(number).line)
        outcome.maybe_twice += number in uncertain
    for failure in response.get("Failed", []):
        if final or is_final(failure):
            entry = pending.pop(int(failure["Id"]))
            outcome.refused.append((entry.line, entry.raw, reason_of(failure)))
        else:
            reason = f"SQS did not accept a message: {reason_of(failure)}"
    return reason

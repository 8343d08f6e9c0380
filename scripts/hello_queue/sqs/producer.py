"""Sends messages, and says of each what became of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore import exceptions as aws

from hello_queue.sqs.entries import Entry
from hello_queue.sqs.queues import is_fifo
from hello_queue.sqs.retries import RetryPolicy, is_final, may_have_acted, may_pass, reason_of


@dataclass(slots=True)
class Outcome:
    """What became of some lines. Of a line that is in neither list nothing is known.

    Attributes:
        sent: the numbers of those that SQS has taken.
        refused: number, raw line and reason of those that cannot be sent; the raw line is None if it was not kept.
        maybe_twice: how many of the sent may be in the queue twice: the answer to a first attempt was lost.
        error: what ended the attempts early.
    """

    sent: list[int] = field(default_factory=list)
    refused: list[tuple[int, bytes | None, str]] = field(default_factory=list)
    maybe_twice: int = 0
    error: Exception | None = None


class Producer:
    """Sends to one queue. Threads may share it.

    Args:
        sqs: a client; its own retries are not needed.
        url: the queue's.
        patience: how long to repeat what may pass.
    """

    def __init__(self, sqs: Any, url: str, patience: RetryPolicy) -> None:
        self._sqs = sqs
        self._url = url
        self._takes_nothing_twice = is_fifo(url)
        self._patience = patience

    def send(self, batch: Sequence[Entry], outcome: Outcome) -> None:
        """Send up to ten messages, as often as it takes, and enter in ``outcome`` what became of them.

        Once a message is among the sent, SQS keeps it. A crash in here leaves messages that may have been sent: sending
        them again can make them two (in a FIFO queue the deduplication id prevents that for five minutes). A message
        that SQS does not take at first goes after those of its batch that it took.
        """
        pending = dict(enumerate(batch))
        uncertain: set[int] = set()
        until = time.monotonic() + self._patience.seconds
        attempt = 0
        while pending:
            attempt += 1
            trouble: aws.ClientError | aws.BotoCoreError | str
            try:
                answer = self._sqs.send_message_batch(
                    QueueUrl=self._url,
                    Entries=[{"Id": str(number), **entry.parameters} for number, entry in pending.items()],
                )
            except (aws.ClientError, aws.BotoCoreError) as error:
                if not may_pass(error):
                    outcome.error = error
                    return
                if may_have_acted(error) and not self._takes_nothing_twice:
                    uncertain.update(pending)
                trouble = error
            else:
                self._patience.succeeded()
                trouble = _settle(answer, pending, uncertain, outcome, final=time.monotonic() >= until)
            if pending:
                try:
                    self._patience.wait(attempt, trouble)
                except Exception as error:
                    outcome.error = error
                    return


def _settle(answer: Any, pending: dict[int, Entry], uncertain: set[int], outcome: Outcome, *, final: bool) -> str:
    """Take out of the pending entries those that the answer settles. Returns why some stay, if some do.

    ``final``: this was the last attempt for entries that failed, whatever the reason.
    """
    trouble = "SQS did not answer for every message of a batch"
    for success in answer.get("Successful", []):
        number = int(success["Id"])
        outcome.sent.append(pending.pop(number).line)
        outcome.maybe_twice += number in uncertain
    for failure in answer.get("Failed", []):
        reason = reason_of(failure)
        if final or is_final(failure):
            entry = pending.pop(int(failure["Id"]))
            outcome.refused.append((entry.line, entry.raw, reason))
        else:
            trouble = f"SQS did not take a message: {reason}"
    return trouble

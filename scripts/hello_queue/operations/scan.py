"""Goes through a dead-letter queue, in bounded memory: what was picked is handed to an action, and what stays in the
queue is visible again afterwards.

A message that was received is hidden from the scan and from others until it is given back, so that it is not received
twice. Its receive count grows by one, which has no effect in a queue that has no dead-letter queue itself; in another
queue only a sample may be taken (see `hello_queue.operations.group_sample`). A crash at any point leaves the messages
that were held hidden until their visibility timeout expires, and changes nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from botocore import exceptions as aws

from hello_queue.aws.errors import explain, is_no_such_queue
from hello_queue.operations.dead_letters import DeadLetter
from hello_queue.operations.selection import Selection
from hello_queue.sqs.checksums import is_intact
from hello_queue.sqs.handlers import from_receive
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES, unhiding
from hello_queue.sqs.retries import RetryPolicy, is_transient, may_have_acted
from hello_queue.sqs.transports import Transport

HOLD_SECONDS = 60
"""The visibility timeout of a message that is acted on at once."""
WAIT_SECONDS = 1
"""Long polling, however short, asks all servers of SQS, so that no answer means that there are no messages."""
CONNECTIONS = 8
MAX_HELD = 100_000
"""How many messages a scan holds at most: SQS allows 120,000 in flight, and others may receive too:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
_MIN_MESSAGES_PER_SECOND = 200
"""At how many messages a second, at least, a scan is expected to proceed."""

Action = Callable[[Sequence[DeadLetter]], Awaitable[None]]


def hold_seconds(messages: int) -> int:
    """The visibility timeout with which so many messages can be looked at before the first is visible again."""
    return HOLD_SECONDS + min(messages, MAX_HELD) // _MIN_MESSAGES_PER_SECOND


class Scan:
    """One way through a dead-letter queue.

    Args:
        transport: calls SQS.
        url: the dead-letter queue's.
        selection: what to hand to the action.
        hold: for how many seconds a message is hidden (see `hold_seconds`).
        retry_policy: how long to retry transient errors.
        report: takes a line for a person.
        clock: seconds since the epoch.

    Attributes:
        looked_at: how many messages were received.
        picked: how many of them were handed to the action.
        missing: the selected ids that were not found.
        arrived: how many were left because they were sent after the scan began, and it removes messages: what fails
            again at once would otherwise be moved again and again.
        incomplete: why messages may have been overlooked; None: all that were visible were looked at, or all selected
            ids were found.
        found_all: it ended before the end of the queue, because all that was wanted was found.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        selection: Selection,
        *,
        hold: int,
        retry_policy: RetryPolicy,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport = transport
        self._url = url
        self._selection = selection
        self._hold = hold
        self._retry_policy = retry_policy
        self._report = report
        self._clock = clock
        self._began = float("inf")
        self._held: deque[tuple[str, float]] = deque()
        self._seen: set[str] = set()
        self.looked_at = 0
        self.picked = 0
        self.arrived = 0
        self.missing = set(selection.ids)
        self.incomplete: str | None = None
        self.found_all = False

    async def run(self, action: Action, *, removes: bool, limit: int | None = None) -> None:
        """Go through the queue.

        Args:
            action: gets up to ten picked messages at a time.
            removes: the action deletes what it gets. Otherwise the messages are given back.
            limit: stop when this number was picked.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: a call fails, for good or for too long.
            Exception: what the action raises.
        """
        if removes and not self._selection.ids:
            self._began = self._clock()
        try:
            while True:
                room = MAX_BATCH_ENTRIES if limit is None or self._selection else limit - self.picked
                letters = await self._receive(room)
                if not letters:
                    return
                await self._look_at(letters, action, removes=removes, limit=limit)
                if (self._selection.ids and not self.missing) or (limit is not None and self.picked >= limit):
                    self.incomplete, self.found_all = None, True
                    return
                if self._is_full():
                    return
        finally:
            await self._give_back()

    async def _look_at(
        self, letters: Sequence[DeadLetter], action: Action, *, removes: bool, limit: int | None
    ) -> None:
        intact = [each for each in letters if self._is_intact(each)]
        picked = {each.message.id: each for each in intact if self._selection.picks(each.message)}
        late = [id for id, each in picked.items() if (each.message.sent_at or 0) > self._began]
        self.arrived += len(late)
        for id in late:
            del picked[id]
        for id in self._seen & picked.keys():  # a standard queue can deliver a message twice, although it is hidden
            del picked[id]
        if limit is not None:
            picked = dict(list(picked.items())[: limit - self.picked])
        for each in letters:
            if not removes or each.message.id not in picked:
                self._held.append((each.received["ReceiptHandle"], each.until))
        if not removes:
            self._seen.update(picked)
        self.looked_at += len(letters)
        self.picked += len(picked)
        if picked:
            try:
                await action(list(picked.values()))
            except Exception:  # what was not deleted is visible again at once, as after a crash it is later
                if removes:
                    self._held.extend((each.received["ReceiptHandle"], each.until) for each in picked.values())
                raise
        self.missing.difference_update(picked)

    def _is_intact(self, letter: DeadLetter) -> bool:
        """A message that was altered on its way is left alone: only what was sent is copied, or deleted."""
        if is_intact(letter.received):
            return True
        self.incomplete = f"the content of message {letter.message.id} does not match SQS's MD5 digest"
        return False

    def _is_full(self) -> bool:
        """Whether no more messages can be held, or the first will be visible again and would be received again."""
        reason = None
        if len(self._held) >= MAX_HELD:
            reason = f"{MAX_HELD:,} messages are held, about as many as SQS allows, so the others were not looked at"
        elif self._held and asyncio.get_running_loop().time() > self._held[0][1] - self._hold / 10:
            reason = (
                f"the messages held since {self._hold:,} s are about to be visible again, so not all were looked at"
            )
        self.incomplete = reason or self.incomplete
        return reason is not None

    async def _receive(self, most: int) -> list[DeadLetter]:
        """The next messages that were not seen before; none: there are no more."""
        attempt = 0
        parameters = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": min(MAX_BATCH_ENTRIES, most),
            "WaitTimeSeconds": WAIT_SECONDS,
            "VisibilityTimeout": self._hold,
            "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
        }
        while True:
            attempt += 1
            until = asyncio.get_running_loop().time() + self._hold
            try:
                answer = await self._transport.call("ReceiveMessage", parameters)
            except (aws.ClientError, aws.BotoCoreError) as error:
                if not is_transient(error):
                    raise
                if may_have_acted(error):
                    self.incomplete = (
                        "the answer to a receive was lost: up to ten messages may be hidden, "
                        f"and are visible again in {self._hold} s"
                    )
                await self._retry_policy.wait(attempt, error)
                continue
            self._retry_policy.succeeded()
            return [DeadLetter(from_receive(each), each, until) for each in answer.get("Messages", ())]

    async def _give_back(self) -> None:
        """Make the messages that are still held visible at once."""
        now = asyncio.get_running_loop().time()
        handles = [handle for handle, until in self._held if until > now + 1]
        self._held.clear()
        left = len(handles)
        batches = unhiding(handles)
        while some := list(itertools.islice(batches, CONNECTIONS)):
            errors = await asyncio.gather(*(self._unhide(each) for each in some))
            failed = [error for error in errors if error is not None]
            if failed:
                if not (isinstance(failed[0], aws.ClientError) and is_no_such_queue(failed[0])):
                    self._report(
                        f"up to {left:,} messages could not be made visible again, and stay hidden for up to "
                        f"{self._hold:,} s: {explain(failed[0])}"
                    )
                return
            left -= sum(map(len, some))

    async def _unhide(self, entries: Sequence[Any]) -> aws.ClientError | aws.BotoCoreError | None:
        try:
            await self._transport.call("ChangeMessageVisibilityBatch", {"QueueUrl": self._url, "Entries": entries})
        except (aws.ClientError, aws.BotoCoreError) as error:
            return error
        return None

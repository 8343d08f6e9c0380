"""Sends messages, and reports of each what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore import exceptions as aws

from hello_queue.sqs.batches import MAX_BATCH_BYTES, Entry
from hello_queue.sqs.checksums import attributes_md5, body_md5
from hello_queue.sqs.message_format import MessageFormat
from hello_queue.sqs.messages import InvalidMessage
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES, is_fifo
from hello_queue.sqs.retries import RetryPolicy, is_final, is_transient, may_have_acted, reason_of
from hello_queue.sqs.transports import Transport


@dataclass(slots=True)
class Outcome:
    """The outcome of some lines. A line that is not in it is not settled.

    Attributes:
        sent: the numbers of the lines that SQS has, with their message IDs.
        blank: the numbers of the lines that were left out because they are blank.
        refused: number, raw line and reason of those that cannot be sent; the raw line is None if it was not kept.
        maybe_twice: how many of the sent may be in the queue twice: the response to a first attempt was lost.
        corrupted: how many copies SQS has stored with other content than was sent; each message was then sent again.
        error: what ended the attempts early.
    """

    sent: dict[int, str] = field(default_factory=dict)
    blank: list[int] = field(default_factory=list)
    refused: list[tuple[int, bytes | None, str]] = field(default_factory=list)
    maybe_twice: int = 0
    corrupted: int = 0
    error: Exception | None = None


class Producer:
    """Sends to one queue. Tasks of one event loop share it.

    `send` puts single messages together into batches: a batch goes out when it is full by count or bytes, or when its
    first message has lingered. `deliver` sends a batch that the caller has put together.

    Args:
        transport: calls SQS.
        url: the queue's.
        retry_policy: how long transient errors are retried.
        batches_in_flight: the most batches of `send` under way at once.
        linger: seconds that a batch waits for more messages.
        message_format: defaults for messages that `send` gets.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        retry_policy: RetryPolicy,
        *,
        batches_in_flight: int = 64,
        linger: float = 0.005,
        message_format: MessageFormat | None = None,
    ) -> None:
        self._transport = transport
        self._url = url
        self._fifo = is_fifo(url)
        self._retry_policy = retry_policy
        self._linger = linger
        self._format = message_format or MessageFormat(fifo=self._fifo, deduplication=self._fifo)
        self._slots = asyncio.Semaphore(batches_in_flight)
        self._open: list[tuple[Entry, asyncio.Future[str]]] = []
        self._open_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._order = GroupOrder(fifo=self._fifo)
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, body: str, **options: Any) -> str:
        """Send one message and return its message id. SQS has the message when this returns.

        Args:
            options: ``author``, ``attributes``, ``delay``, ``group``, ``deduplication_id``, as
                `hello_queue.sqs.messages.message` takes them.

        Raises:
            InvalidMessage: SQS refuses the message.
            botocore.exceptions.ClientError, BotoCoreError: SQS could not be reached for too long, or denies the call.
                The message may have been sent all the same.
        """
        entry = self._format.entry_of(0, body, **options)
        if self._open and self._open_bytes + entry.size > MAX_BATCH_BYTES:
            self._dispatch()
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._open.append((entry, future))
        self._open_bytes += entry.size
        if len(self._open) == MAX_BATCH_ENTRIES:
            self._dispatch()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._linger, self._dispatch)
        return await future

    async def flush(self) -> None:
        """Send what lingers, and wait until nothing is under way."""
        self._dispatch()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _dispatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._open:
            return
        batch, self._open, self._open_bytes = self._open, [], 0
        turn = self._order.enter([entry for entry, _ in batch])
        task = asyncio.ensure_future(self._send_batch(batch, turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_batch(self, batch: list[tuple[Entry, asyncio.Future[str]]], turn: Turn) -> None:
        outcome = Outcome()
        entries = []
        for number, (entry, _) in enumerate(batch):
            entry.line = number
            entries.append(entry)
        try:
            async with turn, self._slots:
                await self.deliver(entries, outcome)
        except BaseException as error:
            outcome.error = error if isinstance(error, Exception) else RuntimeError("sending was cancelled")
            raise
        finally:
            refused = {number: reason for number, _, reason in outcome.refused}
            for number, (_, future) in enumerate(batch):
                if future.done():
                    continue
                if number in outcome.sent:
                    future.set_result(outcome.sent[number])
                elif number in refused:
                    future.set_exception(InvalidMessage(refused[number]))
                else:
                    future.set_exception(outcome.error or RuntimeError("the batch has no outcome"))

    async def deliver(self, batch: Sequence[Entry], outcome: Outcome) -> None:
        """Send up to ten messages, retry transient errors, and enter in ``outcome`` what became of them.

        SQS keeps a message that is among the sent. A crash in here leaves messages that may have been sent: sending
        them again can duplicate them (in a FIFO queue the deduplication ID prevents that for five minutes). A message
        that SQS rejects for now is sent after those of its batch that it accepted.
        """
        loop = asyncio.get_running_loop()
        pending = dict(enumerate(batch))
        uncertain: set[int] = set()
        until = loop.time() + self._retry_policy.timeout
        attempt = 0
        while pending:
            attempt += 1
            trouble: Exception | str
            entries = [{"Id": str(number), **entry.parameters} for number, entry in pending.items()]
            try:
                answer = await self._transport.call("SendMessageBatch", {"QueueUrl": self._url, "Entries": entries})
            except (aws.ClientError, aws.BotoCoreError) as error:
                if not is_transient(error):
                    outcome.error = error
                    return
                if may_have_acted(error) and not self._fifo:
                    uncertain.update(pending)
                trouble = error
            else:
                self._retry_policy.succeeded()
                trouble = _settle(answer, pending, uncertain, outcome, final=loop.time() >= until)
            if pending:
                try:
                    await self._retry_policy.wait(attempt, trouble)
                except Exception as error:
                    outcome.error = error
                    return


def _settle(answer: Any, pending: dict[int, Entry], uncertain: set[int], outcome: Outcome, *, final: bool) -> str:
    """Take out of the pending entries those that the answer settles. Returns why others stay.

    ``final``: this was the last attempt for entries that failed, whatever the reason.
    """
    trouble = "SQS did not answer for every message of a batch"
    for success in answer.get("Successful", ()):
        number = int(success["Id"])
        if not _is_stored_as_sent(success, pending[number].parameters):
            outcome.corrupted += 1
            trouble = "SQS stored other content than was sent: the MD5 digests differ"
            if final:
                entry = pending.pop(number)
                outcome.refused.append((entry.line, entry.raw, trouble))
            continue
        outcome.sent[pending.pop(number).line] = success["MessageId"]
        if uncertain:
            outcome.maybe_twice += number in uncertain
    for failure in answer.get("Failed", ()):
        reason = reason_of(failure)
        if final or is_final(failure):
            entry = pending.pop(int(failure["Id"]))
            outcome.refused.append((entry.line, entry.raw, reason))
        else:
            trouble = f"SQS did not take a message: {reason}"
    return trouble


def _is_stored_as_sent(success: Any, parameters: Any) -> bool:
    if success["MD5OfMessageBody"] != body_md5(parameters["MessageBody"]):
        return False
    attributes = parameters.get("MessageAttributes")
    return not attributes or success.get("MD5OfMessageAttributes") == attributes_md5(attributes)


class GroupOrder:
    """Keeps batches with messages of the same message group in order: one waits for those before it."""

    def __init__(self, *, fifo: bool) -> None:
        self._fifo = fifo
        self._last: dict[str, asyncio.Event] = {}

    def enter(self, entries: Sequence[Entry]) -> Turn:
        """The turn of the batch with these entries. Call this in the order of the messages."""
        if not self._fifo:
            return Turn([], None)
        groups = {entry.parameters["MessageGroupId"] for entry in entries}
        before = [self._last[group] for group in groups if group in self._last]
        self._last = {group: event for group, event in self._last.items() if not event.is_set()}
        settled = asyncio.Event()
        self._last.update(dict.fromkeys(groups, settled))
        return Turn(before, settled)


class Turn:
    """A context that is entered when the batches before it are settled."""

    def __init__(self, before: Sequence[asyncio.Event], settled: asyncio.Event | None) -> None:
        self._before = before
        self._settled = settled

    async def __aenter__(self) -> None:
        for event in self._before:
            await event.wait()

    async def __aexit__(self, *_: object) -> None:
        if self._settled is not None:
            self._settled.set()

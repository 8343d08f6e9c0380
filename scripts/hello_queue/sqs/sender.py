"""Sends any number of lines, several batches at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hello_queue.sqs.batches import Entry, batches
from hello_queue.sqs.concurrency import Concurrency
from hello_queue.sqs.line_batches import MAX_LINE_BYTES, Line, LineBatches, TooLong
from hello_queue.sqs.message_format import MessageFormat
from hello_queue.sqs.messages import InvalidMessage
from hello_queue.sqs.producer import GroupOrder, Outcome, Producer
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES
from hello_queue.sqs.sending_progress import SendingProgress


class Sender:
    """Sends lines by a producer, and records what became of each.

    Each task takes the next lines when those before are sent, so that input is read no faster than it is sent.

    Args:
        producer: shared by all tasks.
        message_format: how lines become messages.
        progress: gets the outcomes.
        concurrency: how many batches to have under way.
    """

    def __init__(
        self, producer: Producer, message_format: MessageFormat, progress: SendingProgress, concurrency: Concurrency
    ) -> None:
        self._producer = producer
        self._format = message_format
        self._progress = progress
        self._concurrency = concurrency
        self._order = GroupOrder(fifo=message_format.fifo)
        self._taking = asyncio.Lock()
        self._stopped = False
        self._reading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._working = 0
        self._order_broken = False

    async def send(self, lines: LineBatches) -> None:
        """Send all lines. Returns when each is settled, or, after a stop, when nothing is under way. Errors are in the
        progress."""
        self._lines = lines
        self._begin_tasks()
        adapting = asyncio.ensure_future(self._concurrency.adapt(self._begin_tasks))
        try:
            while self._tasks:
                done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                self._tasks -= done
                for task in done:
                    task.result()
        finally:
            adapting.cancel()

    def stop(self) -> None:
        """Finish the lines that were taken, and take no more. Those after them may have been sent already, and would be
        sent again."""
        self._stopped = True
        if self._reading is not None:
            self._reading.cancel()

    def _begin_tasks(self) -> None:
        while self._working < self._concurrency.wanted:
            self._working += 1
            self._tasks.add(asyncio.ensure_future(self._work()))

    async def _work(self) -> None:
        try:
            # Those that are too many end one by one: what is left is enough to send the rest.
            while self._working <= self._concurrency.wanted and await self._send_next():
                pass
        except Exception as error:  # such as a full disk under the file of failed lines
            self._progress.settle(Outcome(error=error))
            self.stop()
        finally:
            self._working -= 1

    async def _send_next(self) -> bool:
        """Send the next batch of lines. Returns whether there was one."""
        async with self._taking:
            first, lines = await self._take()
            if not lines:
                return False
            outcome = Outcome()
            entries = parse(self._format, first, lines, outcome)
            turn = self._order.enter(entries)
        async with turn:
            if self._order_broken:
                return False
            for batch in batches(entries):
                if outcome.error is not None:
                    break
                await self._producer.deliver(batch, outcome)
            self._progress.settle(outcome)
            # What follows in a group must not overtake what could not be sent, and is sent when continuing after it.
            self._order_broken |= self._format.fifo and outcome.error is not None
        if outcome.error is not None:
            self.stop()
        return True

    async def _take(self) -> tuple[int, list[Line]]:
        """The next lines; none at the end of the input, or after a stop."""
        if not self._stopped and not self._lines.ready:
            self._reading = asyncio.current_task()
            try:
                await self._lines.read()
            except asyncio.CancelledError:
                if not self._stopped:
                    raise
            finally:
                self._reading = None
        return (0, []) if self._stopped else self._lines.take(MAX_BATCH_ENTRIES)


def parse(message_format: MessageFormat, first: int, lines: Sequence[Line], outcome: Outcome) -> list[Entry]:
    """The messages in the lines. Invalid and blank lines are recorded in the outcome.

    Args:
        first: the number of the first line.
    """
    entries = []
    for number, line in enumerate(lines, first):
        if isinstance(line, TooLong):
            beginning = line.beginning.decode(errors="replace")
            reason = f"longer than {MAX_LINE_BYTES:,} bytes (it begins with {beginning[:40]!r})"
            outcome.refused.append((number, None, reason))
        elif message_format.skip_blank and message_format.is_blank(line):
            outcome.blank.append(number)
        else:
            try:
                entries.append(message_format.entry(number, line))
            except InvalidMessage as error:
                outcome.refused.append((number, line, str(error)))
    return entries

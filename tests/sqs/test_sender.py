"""The sender: what a stop ends, and what it finishes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from hello_queue.sqs.batches import Entry
from hello_queue.sqs.concurrency import Concurrency
from hello_queue.sqs.line_batches import Line, LineBatches
from hello_queue.sqs.message_format import MessageFormat
from hello_queue.sqs.producer import Outcome, Producer
from hello_queue.sqs.sender import Sender
from hello_queue.sqs.sending_progress import SendingProgress


class Accepting(Producer):
    """Sends nothing, and reports everything as sent when it may.

    Attributes:
        may_end: while it is not set, batches stay in progress.
    """

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def deliver(self, batch: Sequence[Entry], outcome: Outcome) -> None:
        await self.may_end.wait()
        outcome.sent.update((entry.line, "id") for entry in batch)


def test_a_stop_ends_the_wait_for_more_input() -> None:
    """Such as for a pipe whose writer pauses. What was read is sent."""

    async def main() -> SendingProgress:
        progress = SendingProgress(0, None, lambda line: None)
        producer = Accepting()
        sender = Sender(producer, MessageFormat(), progress, Concurrency(16))
        waiting = asyncio.Event()

        async def lines() -> AsyncIterator[list[Line]]:
            yield [b"a", b"b"]
            waiting.set()
            await asyncio.Event().wait()

        sending = asyncio.ensure_future(sender.send(LineBatches(lines(), 0)))
        await asyncio.wait_for(waiting.wait(), 5)
        sender.stop()
        producer.may_end.set()
        await asyncio.wait_for(sending, 5)
        return progress

    progress = asyncio.run(main())
    assert (progress.position, progress.sent, progress.error) == (2, 2, None)

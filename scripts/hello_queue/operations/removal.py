"""What takes messages out of a dead-letter queue: they are sent to another queue and then deleted, or only deleted.

A crash between sending and deleting leaves a message in both queues, never in neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hello_queue.errors import HelloQueueError
from hello_queue.operations.dead_letters import DeadLetter, other_sources
from hello_queue.operations.scan import HOLD_SECONDS
from hello_queue.sqs.batches import Entry, batches
from hello_queue.sqs.leases import Counts, Leases
from hello_queue.sqs.producer import Outcome, Producer
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.transports import Transport


class Deleter:
    """Deletes messages.

    Attributes:
        done: how many were deleted.
        left: how many were to be deleted and are still in the queue, as was reported.

    Args:
        transport: calls SQS.
        url: the URL of the dead-letter queue.
        retry_policy: how long to retry transient errors.
        report: takes a line for a person.
    """

    def __init__(
        self, transport: Transport, url: str, *, retry_policy: RetryPolicy, report: Callable[[str], None]
    ) -> None:
        self._counts = Counts()
        self._leases = Leases(
            transport,
            transport,
            url,
            visibility_timeout=HOLD_SECONDS,
            retry_policy=retry_policy,
            report=report,
            counts=self._counts,
        )

    @property
    def done(self) -> int:
        return self._counts["processed"]

    @property
    def left(self) -> int:
        return self._counts["expired"] + self._counts["undeleted"]

    async def __call__(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Delete up to ten messages, and try again after transient errors."""
        await self._leases.delete([each.lease for each in dead_letters])


class Mover:
    """Moves messages: sends, then deletes.

    Args:
        producer: sends to the target.
        deleter: deletes from the dead-letter queue.
        entry: the message to send for one that was received.
        target_arn: the queue to send to.
        report: takes a line for a person.
        on_moved: called with each message that was sent.

    Attributes:
        done: the number of messages sent so far.
        left: how many of them are still in the dead-letter queue, as was reported.
        maybe_twice: how many of them may be in the target twice.
        corrupted: how many copies the target has with other content than was sent (see `Outcome`).
    """

    def __init__(
        self,
        producer: Producer,
        deleter: Deleter,
        entry: Callable[[DeadLetter], Entry],
        *,
        target_arn: str,
        report: Callable[[str], None],
        on_moved: Callable[[DeadLetter], object] = lambda _: None,
    ) -> None:
        self._producer = producer
        self._deleter = deleter
        self._entry = entry
        self._target_arn = target_arn
        self._report = report
        self._on_moved = on_moved
        self._other_sources: set[str] = set()
        self.done = 0
        self.maybe_twice = 0
        self.corrupted = 0

    @property
    def left(self) -> int:
        return self._deleter.left

    async def __call__(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Move up to ten messages. After a crash between sending and deleting they are in both queues: they are visible
        in the dead-letter queue again when their visibility timeout has expired.

        Raises:
            HelloQueueError: a message cannot be sent. It stays in the dead-letter queue.
        """
        self._warn_of_other_sources(dead_letters)
        entries = []
        for number, each in enumerate(dead_letters):
            entry = self._entry(each)
            entry.line = number
            entries.append(entry)
        for batch in batches(entries):
            outcome = Outcome()
            await self._producer.deliver(batch, outcome)
            self.done += len(outcome.sent)
            self.maybe_twice += outcome.maybe_twice
            self.corrupted += outcome.corrupted
            sent = [dead_letters[number] for number in outcome.sent]
            for each in sent:
                self._on_moved(each)
            await self._deleter(sent)
            if outcome.refused:
                number, _, reason = outcome.refused[0]
                refused = dead_letters[number].message.id
                raise HelloQueueError(
                    f"message {refused} cannot be sent, and stays in the dead-letter queue: {reason}. To correct it: "
                    f"redrive.py --edit --id {refused}"
                )
            if outcome.error is not None:
                raise outcome.error

    def _warn_of_other_sources(self, dead_letters: Sequence[DeadLetter]) -> None:
        found = other_sources(dead_letters, self._target_arn) - self._other_sources
        self._other_sources |= found
        for source in sorted(found):
            target = self._target_arn.rpartition(":")[2]
            self._report(f"warning: there are messages from {source}; they are moved to {target} too")

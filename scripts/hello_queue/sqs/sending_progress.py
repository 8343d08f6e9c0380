"""Which lines were sent, which failed, and where to continue."""

from __future__ import annotations

from collections.abc import Callable

from hello_queue.sqs.producer import Outcome

MAX_REPORTED_FAILURES = 20


class SendingProgress:
    """Records the outcome of each line, on one thread.

    It has no lock: a signal handler, which interrupts that thread anywhere, may read it. Other threads may read the
    numbers.

    Args:
        skipped: how many lines were skipped at the beginning.
        keep_failed: keeps a line that failed. If it raises, that line and those after it are not settled.
        report: takes a line of text for a person.
        count_failure: takes the reason of each failure, also of those that are not reported one by one.

    Attributes:
        position: all lines up to this one are settled. Sending can continue after it (``--skip``).
        sent, failed, blank: how many lines were sent, failed, or were left out because they are blank.
        maybe_twice: how many of the sent messages may be in the queue twice, because a response was lost.
        corrupted: how many copies SQS has stored with other content than was sent; each message was then sent again.
        error: the first error that ended the sending.
    """

    def __init__(
        self,
        skipped: int,
        keep_failed: Callable[[bytes], None] | None,
        report: Callable[[str], None],
        count_failure: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.position = skipped
        self.sent = 0
        self.failed = 0
        self.blank = 0
        self.maybe_twice = 0
        self.corrupted = 0
        self.error: Exception | None = None
        self._settled_beyond: dict[int, bool] = {}
        self._keep_failed = keep_failed
        self._report = report
        self._count_failure = count_failure

    def settle(self, outcome: Outcome) -> None:
        """Record the outcome of a batch.

        Raises:
            Exception: what ``keep_failed`` raises.
        """
        self.sent += len(outcome.sent)
        self.blank += len(outcome.blank)
        self.maybe_twice += outcome.maybe_twice
        self.corrupted += outcome.corrupted
        self.error = self.error or outcome.error
        for number in outcome.sent:
            self._settled_beyond[number] = True
        for number in outcome.blank:
            self._settled_beyond[number] = False
        try:
            for number, raw, reason in outcome.refused:
                self._fail(number, raw, reason)
        finally:
            self._advance()

    @property
    def sent_beyond(self) -> int:
        """How many lines after the position were sent, and would be sent again when continuing from there."""
        return sum(self._settled_beyond.values())

    def _fail(self, line: int, raw: bytes | None, reason: str) -> None:
        if raw is not None and self._keep_failed is not None:
            self._keep_failed(raw)
        self.failed += 1
        self._count_failure(reason)
        self._settled_beyond[line] = False
        if self.failed <= MAX_REPORTED_FAILURES:
            self._report(f"line {line}: {reason}")
        elif self.failed == MAX_REPORTED_FAILURES + 1:
            self._report("more lines failed: they are counted, but no longer reported one by one")

    def _advance(self) -> None:
        while self.position + 1 in self._settled_beyond:
            self.position += 1
            del self._settled_beyond[self.position]

"""How far a sender got."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import IO

from hello_queue.sqs.producer import Outcome

REASONS_TOLD = 20


class Progress:
    """Keeps account of each line: sent, failed, or neither yet. Threads may share it.

    Args:
        skipped: how many lines were skipped at the start.
        failed_file: gets the lines that failed, as they were read.
        tell: takes a line of text for a person.

    Attributes:
        position: all lines up to this one are settled; it is the number to go on with, as ``--skip``.
        sent, failed: how many lines.
        maybe_twice: how many of the sent may be in the queue twice, as an answer was lost.
        error: what the sending ended with.
    """

    def __init__(self, skipped: int, failed_file: IO[bytes] | None, tell: Callable[[str], None]) -> None:
        self.position = skipped
        self.sent = 0
        self.failed = 0
        self.maybe_twice = 0
        self.error: Exception | None = None
        self._beyond: dict[int, bool] = {}
        self._failed_file = failed_file
        self._tell = tell
        self._lock = threading.Lock()

    def settle(self, outcome: Outcome) -> None:
        """Enter what became of a batch."""
        with self._lock:
            self.sent += len(outcome.sent)
            self.maybe_twice += outcome.maybe_twice
            self.error = self.error or outcome.error
            for number in outcome.sent:
                self._beyond[number] = True
            for number, raw, reason in outcome.refused:
                self._fail(number, raw, reason)
            self._advance()

    @property
    def sent_beyond(self) -> int:
        """How many lines after the position have been sent, and would be once more if one went on from there."""
        with self._lock:
            return sum(self._beyond.values())

    def _fail(self, line: int, raw: bytes | None, reason: str) -> None:
        self.failed += 1
        self._beyond[line] = False
        if raw is not None and self._failed_file is not None:
            self._failed_file.write(raw + b"\n")
            self._failed_file.flush()
        if self.failed <= REASONS_TOLD:
            self._tell(f"line {line}: {reason}")
        elif self.failed == REASONS_TOLD + 1:
            self._tell("more lines failed: they are counted, and no longer told one by one")

    def _advance(self) -> None:
        while self.position + 1 in self._beyond:
            self.position += 1
            del self._beyond[self.position]

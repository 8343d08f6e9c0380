"""The messages that one thread has received together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable

from hello_queue.sqs.leases import Lease

AHEAD_SECONDS = 0.5
"""A thread receives no more messages than it expects to begin within this time, and deletes handled ones after it."""


class Lane:
    """The work of one thread: messages that are handled one after the other.

    Other threads may call `take_rest` and `take_done`.
    """

    def __init__(self, leases: Iterable[Lease]) -> None:
        self.waiting = deque(leases)
        self.current: Lease | None = None
        self._done: list[Lease] = []
        self._first_done = 0.0
        self._lock = threading.Lock()

    def begin_next(self) -> Lease | None:
        """Take the next message to be handled, or None if there is none."""
        try:
            self.current = self.waiting.popleft()
        except IndexError:
            self.current = None
        return self.current

    def take_rest(self) -> list[Lease]:
        """Take all messages that wait."""
        rest = []
        # One by one: another thread may take from the same deque, and each message goes to one of the two.
        while True:
            try:
                rest.append(self.waiting.popleft())
            except IndexError:
                return rest

    def finish(self, lease: Lease) -> None:
        """Record a message as handled."""
        with self._lock:
            if not self._done:
                self._first_done = time.monotonic()
            self._done.append(lease)

    @property
    def has_waited_long(self) -> bool:
        """Whether handled messages should be deleted before the rest is handled."""
        return bool(self._done) and time.monotonic() - self._first_done > AHEAD_SECONDS

    def take_done(self) -> list[Lease]:
        """Take the handled messages, to delete them."""
        with self._lock:
            done, self._done = self._done, []
            return done

    @property
    def is_stuck(self) -> bool:
        """Whether its current message takes longer than the messages behind it should wait."""
        started_at = self.current.started_at if self.current else None
        return started_at is not None and time.monotonic() - started_at > AHEAD_SECONDS

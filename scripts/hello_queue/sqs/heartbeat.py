"""Extends the leases of messages that are being handled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from hello_queue.sqs.leases import Lease, Leases


def read_timeout(visibility_timeout: int) -> float:
    """How many seconds to wait for the answer to an extension.

    A lease is extended when half of it is left. A sixth of the visibility timeout leaves time for two calls without an
    answer, and for a third one.
    """
    return max(0.5, min(10.0, visibility_timeout / 6))


class Heartbeat:
    """Extends leases before they expire, unless a handler has taken too long.

    Args:
        leases: extends them.
        visibility_timeout: the queue's, in seconds.
        max_handling_seconds: how long a message is kept for its handler.
        all_busy: whether every thread is running a handler.
        tell: takes a line for a person.
    """

    def __init__(
        self,
        leases: Leases,
        *,
        visibility_timeout: int,
        max_handling_seconds: float,
        all_busy: Callable[[], bool],
        tell: Callable[[str], None],
    ) -> None:
        self._leases = leases
        self._timeout = visibility_timeout
        self._max_handling_seconds = max_handling_seconds
        self._all_busy = all_busy
        self._tell = tell
        self._next = 0.0

    def beat(self, held: Iterable[Lease]) -> None:
        """Extend the leases of which less than half is left."""
        now = time.monotonic()
        if now < self._next:
            return
        due = []
        for lease in held:
            if not lease.held or now < lease.until - self._timeout / 2:
                continue
            if lease.started_at is None or now - lease.started_at <= self._max_handling_seconds:
                due.append(lease)
            elif not lease.reported:
                lease.reported = True
                self._report(lease)
        if due:
            self._leases.extend(due)
            self._next = now + self._timeout / 20

    def _report(self, lease: Lease) -> None:
        line = (
            f"message {lease.message.id} has been handled for more than {self._max_handling_seconds:g} s: its "
            "visibility timeout is no longer extended, and it will be received again"
        )
        if self._all_busy():
            line += ". Every thread is busy: no other message is received until a handler returns"
        self._tell(line)

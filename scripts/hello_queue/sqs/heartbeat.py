"""Extends the leases of messages that are being handled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from hello_queue.sqs.leases import Lease, Leases
from hello_queue.sqs.notices import Notice, Report

_LONGEST_INTERVAL_SECONDS = 0.25


def timeout_of(visibility_timeout: int) -> float:
    """How many seconds to wait for the answer to an extension."""
    return max(0.5, min(5.0, visibility_timeout / 8))


def repeated_after(visibility_timeout: int) -> float:
    """After how many seconds without an answer to ask for an extension again, while the first call still waits.

    A lease is extended when half of it is left. A thirtieth of the visibility timeout leaves time for 15 calls. Four
    would not do: where every second call gets no answer, all four are lost for one lease in 16.
    """
    return max(0.1, min(timeout_of(visibility_timeout), visibility_timeout / 30))


class Heartbeat:
    """Extends leases before they expire, unless a handler has taken too long.

    Args:
        leases: extends them.
        held: the leases of this consumer.
        visibility_timeout: the queue's, in seconds.
        max_handling_seconds: how long a message is kept for its handler.
        all_busy: whether no further message can be handled.
        report: see `hello_queue.sqs.notices`.
    """

    def __init__(
        self,
        leases: Leases,
        held: Collection[Lease],
        *,
        visibility_timeout: int,
        max_handling_seconds: float,
        all_busy: Callable[[], bool],
        report: Report,
    ) -> None:
        self._leases = leases
        self._held = held
        self._timeout = visibility_timeout
        self._repeated_after = repeated_after(visibility_timeout)
        self._max_handling_seconds = max_handling_seconds
        self._all_busy = all_busy
        self._report_notice = report
        self._in_progress: dict[Lease, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Extend leases until cancelled. A call without an answer delays neither those of other leases nor, for long,
        the next one of the same leases."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_LONGEST_INTERVAL_SECONDS, self._timeout / 60))
            now = loop.time()
            due = self._due(now)
            if due:
                task = asyncio.ensure_future(self._extend(due, now))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _extend(self, leases: list[Lease], now: float) -> None:
        self._in_progress.update(dict.fromkeys(leases, now))
        try:
            await self._leases.extend(leases)
        finally:
            for lease in leases:
                if self._in_progress.get(lease) == now:  # otherwise a later call has begun
                    del self._in_progress[lease]

    def _due(self, now: float) -> list[Lease]:
        due = []
        for lease in self._held:
            asked_at = self._in_progress.get(lease, float("-inf"))
            if lease.over or not lease.is_held(now) or now < asked_at + self._repeated_after:
                continue
            if now < lease.until - self._timeout / 2:
                continue
            if lease.handled or lease.started_at is None or now - lease.started_at <= self._max_handling_seconds:
                due.append(lease)
            elif not lease.reported:
                lease.reported = True
                self._report(lease)
        return due

    def _report(self, lease: Lease) -> None:
        line = (
            f"message {lease.message.id} has been handled for more than {self._max_handling_seconds:g} s: its "
            "visibility timeout is no longer extended, and it will be received again"
        )
        if self._all_busy():
            line += ". Every handler is busy: no other message is received until a handler returns"
        self._report_notice(Notice(line, message=lease.message))

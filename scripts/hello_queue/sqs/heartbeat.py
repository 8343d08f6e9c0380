"""Extends the leases of messages that are being handled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from hello_queue.sqs.leases import Lease, Leases
from hello_queue.sqs.notices import Notice, Report

_LONGEST_INTERVAL_SECONDS = 0.25


def timeout_of(visibility_timeout: int) -> float:
    """How many seconds to wait for the answer to an extension.

    A lease is extended when half of it is left. An eighth of the visibility timeout leaves time for three calls without
    an answer, and for a fourth.
    """
    return max(0.5, min(5.0, visibility_timeout / 8))


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
        self._max_handling_seconds = max_handling_seconds
        self._all_busy = all_busy
        self._report_notice = report
        self._in_progress: set[Lease] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Extend leases until cancelled. A call without an answer does not delay those of other leases."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_LONGEST_INTERVAL_SECONDS, self._timeout / 20))
            due = self._due(loop.time())
            if due:
                task = asyncio.ensure_future(self._extend(due))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _extend(self, leases: list[Lease]) -> None:
        self._in_progress.update(leases)
        try:
            await self._leases.extend(leases)
        finally:
            self._in_progress.difference_update(leases)

    def _due(self, now: float) -> list[Lease]:
        due = []
        for lease in self._held:
            if lease.over or lease in self._in_progress or not lease.is_held(now):
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

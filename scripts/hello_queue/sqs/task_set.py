"""Tasks in progress, of which somebody must know when they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class TaskSet:
    """Starts tasks, and keeps those that have not ended.

    Args:
        ended: called after each task, with the exception that it raised, or None.
    """

    def __init__(self, ended: Callable[[BaseException | None], None]) -> None:
        self._ended = ended
        self._tasks: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._remove)

    async def wait(self, timeout: float) -> None:
        """Wait until the tasks that are in progress now have ended, for up to so many seconds."""
        for seconds in (timeout, 1):  # a process that was suspended wakes up with its time over: what came is settled
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=seconds)

    def _remove(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended(None if task.cancelled() else task.exception())

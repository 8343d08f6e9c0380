"""Tasks that call ``async def`` handlers on the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")


class HandlerTasks(Generic[Work, Result]):
    """Awaits a function for each piece of work. The interface is that of `HandlerThreads`.

    Args:
        call: must not raise.
        limit: the most tasks.
        finished: gets a piece of work with what ``call`` returned.
    """

    def __init__(
        self,
        call: Callable[[Work], Awaitable[Result]],
        limit: int,
        finished: Callable[[list[tuple[Work, Result]]], None],
    ) -> None:
        self._call = call
        self._limit = limit
        self._finished = finished
        self._waiting: deque[Work] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy = 0

    @property
    def busy(self) -> int:
        """How many tasks are at work."""
        return self._busy

    def submit(self, work: list[Work]) -> None:
        """Do the work, beginning in this order."""
        self._waiting.extend(work)
        for _ in range(min(len(self._waiting), self._limit - self._busy)):
            self._busy += 1
            task = asyncio.ensure_future(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def withdraw(self, most: int | None = None) -> list[Work]:
        """Take back what has not begun: all of it, or so many pieces."""
        number = len(self._waiting) if most is None else min(most, len(self._waiting))
        return [self._waiting.popleft() for _ in range(number)]

    async def _run(self) -> None:
        try:
            while self._waiting:
                work = self._waiting.popleft()
                self._finished([(work, await self._call(work))])
        finally:
            # Not in a callback, which runs later: what is submitted before it would wait for ever.
            self._busy -= 1

"""An event loop in virtual time, and processes that share it and can be killed or frozen between two steps."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Coroutine
from typing import Any

START_SECONDS = 1_000.0


class Process:
    """What runs on the loop as if it were a process of its own: everything that its first task starts belongs to it.

    Attributes:
        name: unique in a world.
        dead: it was killed: none of its callbacks runs any more, not even a finally block.
        steps: how many callbacks it has run.
        kill_at_step: it is killed before it runs that one.
        started_at, stopped_at, ended_at: seconds; None: not yet.
        waits_until: it is frozen until then, as by a suspended machine or a long garbage collection.
    """

    def __init__(self, loop: VirtualLoop, name: str) -> None:
        self.name = name
        self.dead = False
        self.steps = 0
        self.kill_at_step: int | None = None
        self.started_at = loop.time()
        self.stopped_at: float | None = None
        self.ended_at: float | None = None
        self.waits_until = 0.0
        self.frozen_at = float("-inf")
        self.backlog: deque[asyncio.Handle] = deque()
        self.context = contextvars.copy_context()
        self.context.run(PROCESS.set, self)
        self._loop = loop

    @property
    def is_running(self) -> bool:
        return not self.dead and self.ended_at is None

    def start(self, main: Coroutine[Any, Any, None]) -> None:
        self._main = self.context.run(self._loop.create_task, main)
        loop = self._loop

        def ended(_: object) -> None:
            self.ended_at = loop.time()

        self._main.add_done_callback(ended)

    def kill(self) -> None:
        if self.is_running:
            self.dead = True
            self.ended_at = self._loop.time()
            self._loop.killed(self)

    def freeze(self, seconds: float) -> None:
        now = self._loop.time()
        if not self.is_running or self.waits_until > now:
            return
        self.waits_until = now + seconds
        self.frozen_at = self.waits_until
        self._loop.call_at(self.waits_until, self._loop.thaw, self, context=contextvars.Context())

    def __repr__(self) -> str:
        return self.name


PROCESS: contextvars.ContextVar[Process] = contextvars.ContextVar("process")
"""The simulated process that runs; unset for the world around them."""


class Deadlock(Exception):
    """Nothing is left that could ever happen."""


class _Task(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address."""

    _count = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _Task._count += 1
        self._number = _Task._count
        super().__init__(*args, **kwargs)
        self._log_destroy_pending = False  # those of killed processes never end

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order of their virtual times, and never waits.

    Attributes:
        steps: how many callbacks have run.
        errors: what callbacks raised.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = START_SECONDS
        self._ready: deque[asyncio.Handle]
        self._scheduled: list[Any]
        self.steps = 0
        self.errors: list[str] = []
        self.kept: list[object] = []
        _Task._count = 0
        self.set_task_factory(lambda loop, main, **options: _Task(main, loop=loop, **options))
        self.set_exception_handler(self._failed)

    def time(self) -> float:
        return self._now

    def killed(self, process: Process) -> None:
        """Called when a process was killed; the world overrides it."""

    def thaw(self, process: Process) -> None:
        self._ready.extend(process.backlog)
        process.backlog.clear()

    def _failed(self, _: object, context: dict[str, Any]) -> None:
        if "handle" in context:
            self.errors.append(f"{context['message']}: {context.get('exception')!r}")

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        if not ready:
            while scheduled and scheduled[0]._cancelled:
                heapq.heappop(scheduled)
            if not scheduled:
                raise Deadlock
            self._now = max(self._now, scheduled[0]._when)
        now = self._now
        while scheduled and scheduled[0]._when <= now:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            if not timer._cancelled:
                ready.append(timer)
        for _ in range(len(ready)):
            handle: Any = ready.popleft()
            if handle._cancelled:
                continue
            process = handle._context.get(PROCESS)
            if process is not None:
                if process.dead:
                    self.kept.append(handle)  # nor does the garbage collector run its finally blocks
                    continue
                if process.waits_until > now:
                    process.backlog.append(handle)
                    continue
                process.steps += 1
                if process.steps == process.kill_at_step:
                    process.kill()
                    self.kept.append(handle)
                    continue
            self.steps += 1
            handle._run()

    def _write_to_self(self) -> None:
        """Nothing sleeps that would have to be woken."""

    def _process_events(self, event_list: object) -> None:
        """There is no input or output."""

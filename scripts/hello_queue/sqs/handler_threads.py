"""Threads that call plain functions, so that the event loop can go on."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")

STALL_SECONDS = 0.005
"""Work that has waited this long gets further threads."""


class HandlerThreads(Generic[Work, Result]):
    """Calls a function for each piece of work, on as few threads as keep up and at most ``most``.

    A thread that is awake takes one piece after the other, so that quick work costs no hand-over between threads.

    Args:
        call: must not raise.
        most: the most threads.
        finished: gets pieces of work, each with what ``call`` returned, on the event loop.
    """

    def __init__(
        self, call: Callable[[Work], Result], most: int, finished: Callable[[list[tuple[Work, Result]]], None]
    ) -> None:
        self._call = call
        self._most = most
        self._finished = finished
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._waiting: deque[Work] = deque()
        self._results: deque[tuple[Work, Result]] = deque()
        self._idle: list[threading.Lock] = []
        self._threads = 0
        self._awake = 0
        self._drain_requested = False
        self._taken = 0
        self._taken_at_check = -1
        self._check: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> int:
        """How many threads are at work."""
        return self._awake

    def submit(self, work: list[Work]) -> None:
        """Have the work done, in this order as far as it begins."""
        with self._lock:
            self._waiting.extend(work)
            if self._awake == 0:
                self._wake_one()
        self._check_later()

    def withdraw(self, most: int | None = None) -> list[Work]:
        """Take back what has not begun: all of it, or so many pieces. Any thread can call it."""
        taken: list[Work] = []
        while most is None or len(taken) < most:
            try:
                taken.append(self._waiting.popleft())
            except IndexError:
                break
        return taken

    def _check_later(self) -> None:
        if self._check is None:
            self._taken_at_check = self._taken
            self._check = self._loop.call_later(STALL_SECONDS, self._add_threads)

    def _add_threads(self) -> None:
        self._check = None
        with self._lock:
            if not self._waiting:
                return
            if self._taken - self._taken_at_check < len(self._waiting):  # what waits would wait once more as long
                for _ in range(min(max(1, self._awake), len(self._waiting))):
                    if self._awake < self._most:
                        self._wake_one()
        self._check_later()

    def _wake_one(self) -> None:
        self._awake += 1
        if self._idle:
            self._idle.pop().release()
        else:
            self._threads += 1
            threading.Thread(target=self._run, daemon=True, name=f"handler-{self._threads}").start()

    def _run(self) -> None:
        bell = threading.Lock()
        bell.acquire()
        waiting, results, call = self._waiting, self._results, self._call
        while True:
            try:
                work = waiting.popleft()
            except IndexError:
                with self._lock:
                    if waiting:
                        continue
                    self._awake -= 1
                    self._idle.append(bell)
                bell.acquire()
                continue
            self._taken += 1
            result = call(work)
            results.append((work, result))
            if not self._drain_requested:
                self._drain_requested = True
                try:
                    self._loop.call_soon_threadsafe(self._drain)
                except RuntimeError:  # the loop is closed: the grace time was over before this ended
                    return

    def _drain(self) -> None:
        self._drain_requested = False
        results = self._results
        done = []
        while results:
            done.append(results.popleft())
        self._finished(done)

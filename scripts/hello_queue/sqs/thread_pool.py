"""Threads that all do the same work."""

from __future__ import annotations

import enum
import sys
import threading
import time
from collections.abc import Callable

_LEARNING_ROUNDS = 3


def calm_threads() -> None:
    """Let a thread compute until it waits by itself.

    Python would have those that want to go on look every 5 ms whether they may: with sixteen that wait for answers,
    this is a tenth of the work. Who computes without end still has to let others in, ten times a second.
    """
    sys.setswitchinterval(0.1)


class Next(enum.Enum):
    """What a thread does after a round of work."""

    END = enum.auto()
    GO_ON = enum.auto()
    GO_ON_WITH_MORE = enum.auto()
    """Go on, and there is enough to do for further threads."""


class ThreadPool:
    """As many threads as keep one core busy: many while calls mostly wait for answers, one where they mostly compute.

    More threads than that only get into each other's way: one at a time runs Python. How much a round of work computes
    and how long it takes is measured as it goes.

    Args:
        work: one round of work, called again and again.
        most: the most threads.
        failed: told of what ``work`` raises, which ends the thread.
    """

    def __init__(self, work: Callable[[], Next], most: int, failed: Callable[[Exception], None]) -> None:
        self._work = work
        self._most = most
        self._failed = failed
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._over = threading.Condition(self._lock)
        self._rounds = 0
        self._quickest = self._least_computing = float("inf")

    def start(self) -> None:
        """Start a thread, unless there are as many as there may be."""
        with self._lock:
            if len(self._threads) < self._most:
                thread = threading.Thread(target=self._run, daemon=True)
                self._threads.add(thread)
                thread.start()

    def join(self, timeout: float | None = None, *, until: threading.Event | None = None) -> bool:
        """Wait until all threads have ended, for so many seconds, or until the event is set and `wake` is called.
        Whether they have ended."""
        with self._over:
            self._over.wait_for(lambda: not self._threads or (until is not None and until.is_set()), timeout)
            return not self._threads

    def wake(self) -> None:
        """Have whoever joins look at their event."""
        with self._over:
            self._over.notify_all()

    def __len__(self) -> int:
        return len(self._threads)

    def _run(self) -> None:
        try:
            while self._round():
                pass
        except Exception as error:
            self._failed(error)
        finally:
            with self._over:
                self._threads.discard(threading.current_thread())
                self._over.notify_all()

    def _round(self) -> bool:
        began, computed = time.perf_counter(), time.thread_time()
        done = self._work()
        if done is Next.GO_ON_WITH_MORE:
            self._learn(time.perf_counter() - began, time.thread_time() - computed)
            if self._rounds >= _LEARNING_ROUNDS and len(self._threads) < round(self._useful):
                self.start()
        return done is not Next.END

    def _learn(self, seconds: float, computing: float) -> None:
        self._quickest = min(self._quickest, seconds)
        self._least_computing = min(self._least_computing, computing)
        self._rounds += 1

    @property
    def _useful(self) -> float:
        return self._quickest / max(self._least_computing, 1e-6)

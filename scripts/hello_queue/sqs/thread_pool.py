"""A pool of threads that all do the same work."""

from __future__ import annotations

import enum
import sys
import threading
import time
from collections.abc import Callable

_LEARNING_ROUNDS = 3
_WEIGHT = 0.2
"""The weight of the latest round in the moving averages: about the last ten rounds count."""
_BUSY = 0.9
"""A core that computes for this share of the time has enough threads."""


def calm_threads() -> None:
    """Let a thread compute until it waits by itself, or for a tenth of a second.

    By default, Python asks a computing thread every 5 ms to let another one run. With sixteen threads that wait for
    answers, that costs a tenth of the time.
    """
    sys.setswitchinterval(0.1)


class Next(enum.Enum):
    """What a thread does after a round of work."""

    END = enum.auto()
    GO_ON = enum.auto()
    GO_ON_WITH_MORE = enum.auto()
    """Go on; there is enough work for further threads."""


class ThreadPool:
    """As many threads as keep one core busy: many while calls mostly wait for answers, one where they mostly compute.

    More threads would only wait for each other, because one at a time runs Python. The pool measures how long recent
    rounds of work took and how much of that they computed.

    Args:
        work: one round of work, called again and again.
        max_threads: the maximum number of threads.
        failed: called with whatever ``work`` raises, which ends the thread.
    """

    def __init__(self, work: Callable[[], Next], max_threads: int, failed: Callable[[Exception], None]) -> None:
        self._work = work
        self._max_threads = max_threads
        self._failed = failed
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._over = threading.Condition(self._lock)
        self._rounds = 0
        self._seconds = self._computing = 0.0

    def start(self) -> None:
        """Start a thread, unless the maximum is reached."""
        with self._lock:
            if len(self._threads) < self._max_threads:
                thread = threading.Thread(target=self._run, daemon=True)
                self._threads.add(thread)
                thread.start()

    def join(self, timeout: float | None = None, *, until: threading.Event | None = None) -> bool:
        """Wait until all threads have ended, for up to ``timeout`` seconds, or until the event is set and `wake` is
        called. Returns whether all threads have ended."""
        with self._over:
            self._over.wait_for(lambda: not self._threads or (until is not None and until.is_set()), timeout)
            return not self._threads

    def wake(self) -> None:
        """Have `join` check its event."""
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
        with self._lock:
            self._rounds += 1
            weight = max(_WEIGHT, 1 / self._rounds)
            self._seconds += (seconds - self._seconds) * weight
            self._computing += (computing - self._computing) * weight

    @property
    def _useful(self) -> float:
        return _BUSY * self._seconds / max(self._computing, 1e-6)

"""How many threads a pool starts."""

from __future__ import annotations

import itertools
import threading
import time
from types import SimpleNamespace

import pytest

from hello_queue.sqs import thread_pool
from hello_queue.sqs.thread_pool import Next, ThreadPool


def no_error(error: Exception) -> None:
    raise AssertionError from error


def test_it_follows_the_latest_measurements() -> None:
    """Rounds that take no time, then rounds that wait: the pool starts all threads, although one was enough before."""
    most = 0
    rounds = itertools.count()

    def work() -> Next:
        nonlocal most
        number = next(rounds)
        if number > 50:
            time.sleep(0.3)
        most = max(most, len(pool))
        return Next.GO_ON_WITH_MORE if most < 64 and number < 500 else Next.END

    pool = ThreadPool(work, 64, no_error)
    pool.start()
    assert pool.join(60)
    assert most == 64


def test_rounds_that_only_compute_get_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock by which nothing waits, because on a busy machine every thread does."""
    clock = threading.local()

    def now() -> float:
        return getattr(clock, "now", 0.0)

    monkeypatch.setattr(thread_pool, "time", SimpleNamespace(perf_counter=now, thread_time=now))
    most = 0
    rounds = itertools.count()

    def work() -> Next:
        nonlocal most
        clock.now = now() + 0.01
        most = max(most, len(pool))
        return Next.GO_ON_WITH_MORE if next(rounds) < 200 else Next.END

    pool = ThreadPool(work, 64, no_error)
    pool.start()
    assert pool.join(60)
    assert most == 1

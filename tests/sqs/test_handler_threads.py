"""Threads for plain handlers: as few as keep up, up to the limit, again and again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from hello_queue.sqs.handler_threads import HandlerThreads


def handle(pieces: list[float], most: int, call: Callable[[float], object] = time.sleep) -> tuple[set[str], float]:
    """Handle pieces of work, each of so many seconds. Returns the threads that took part, and how long it took."""
    names: set[str] = set()

    def work(piece: float) -> None:
        names.add(threading.current_thread().name)
        call(piece)

    async def main() -> float:
        loop = asyncio.get_running_loop()
        finished: list[float] = []
        over = asyncio.Event()

        def done(results: list[tuple[float, None]]) -> None:
            finished.extend(piece for piece, _ in results)
            if len(finished) == len(pieces):
                over.set()

        threads = HandlerThreads(work, most, done)
        began = loop.time()
        threads.submit(pieces)
        await asyncio.wait_for(over.wait(), 60)
        assert sorted(finished) == sorted(pieces)
        return loop.time() - began

    return names, asyncio.run(main())


def test_instant_work_stays_on_one_thread() -> None:
    names, _ = handle([0.0] * 2_000, most=64, call=lambda piece: None)
    assert len(names) <= 2


def test_slow_work_gets_all_threads() -> None:
    names, seconds = handle([0.3] * 64, most=64)
    assert len(names) == 64
    assert seconds < 1.5


def test_slow_work_after_instant_work_gets_all_threads() -> None:
    """What was quick once must not limit what comes later."""
    names, _ = handle([0.0] * 500 + [0.3] * 64, most=64)
    assert len(names) == 64


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_threads_than_allowed(most: int) -> None:
    names, _ = handle([0.05] * 12, most=most)
    assert len(names) == most


def test_what_waits_can_be_withdrawn() -> None:
    async def main() -> list[int]:
        begun, release = threading.Event(), threading.Event()

        def call(piece: int) -> None:
            begun.set()
            release.wait(10)

        threads = HandlerThreads(call, 1, lambda results: None)
        threads.submit([1, 2, 3])
        await asyncio.to_thread(begun.wait, 10)
        withdrawn = threads.withdraw()
        release.set()
        return withdrawn

    assert asyncio.run(main()) == [2, 3]

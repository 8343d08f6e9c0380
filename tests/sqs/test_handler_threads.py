"""Threads for plain handlers: as few as keep up, up to the limit, again and again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable

import pytest

from hello_queue.sqs.handler_threads import HandlerThreads


def handle(pieces: list[float], most: int, call: Callable[[float], object] = time.sleep) -> set[str]:
    """Handle pieces of work, each of so many seconds. Returns the threads that took part."""
    names: set[str] = set()

    def work(piece: float) -> None:
        names.add(threading.current_thread().name)
        call(piece)

    async def main() -> None:
        finished: list[float] = []
        over = asyncio.Event()

        def done(results: list[tuple[float, None]]) -> None:
            finished.extend(piece for piece, _ in results)
            if len(finished) == len(pieces):
                over.set()

        threads = HandlerThreads(work, most, done)
        threads.submit(pieces)
        await asyncio.wait_for(over.wait(), 60)
        assert sorted(finished) == sorted(pieces)

    asyncio.run(main())
    return names


def test_instant_work_stays_on_one_thread() -> None:
    names = handle([0.0] * 2_000, most=64, call=lambda piece: None)
    assert len(names) <= 2


def test_slow_work_gets_all_threads() -> None:
    assert len(handle([1.0] * 64, most=64, call=_together(64))) == 64


def test_slow_work_after_instant_work_gets_all_threads() -> None:
    """What was quick once must not limit what comes later."""
    assert len(handle([0.0] * 500 + [1.0] * 64, most=64, call=_together(64))) == 64


def _together(number: int) -> Callable[[float], None]:
    """Work that takes until so many threads do it at once; none, if it is 0."""
    barrier = threading.Barrier(number, timeout=30)

    def work(piece: float) -> None:
        if piece:
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait()

    return work


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_threads_than_allowed(most: int) -> None:
    names = handle([0.05] * 12, most=most)
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

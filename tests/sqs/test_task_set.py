"""Tasks in progress, and how long they are waited for."""

from __future__ import annotations

import asyncio

import pytest

from hello_queue.sqs.task_set import TaskSet
from tests.simulation.virtual_loop import PROCESS, START_SECONDS, Process, VirtualLoop


def waited(*, suspended: bool) -> tuple[int, float]:
    """Wait for a task that needs 20 seconds: for up to 10, or for up to 30 in a process that is suspended for 60.

    Returns:
        How many tasks have ended, and after how many seconds.
    """
    loop = VirtualLoop()
    ended: list[object] = []

    async def work() -> None:
        await asyncio.sleep(20)
        await asyncio.sleep(0)

    async def wait() -> None:
        tasks = TaskSet(ended.append)
        tasks.start(work())
        await asyncio.sleep(0)
        if suspended:
            PROCESS.get().freeze(60)
        await tasks.wait(30 if suspended else 10)

    async def run() -> tuple[int, float]:
        process = Process(loop, "worker")
        process.start(wait())
        await process._main
        return len(ended), loop.time() - START_SECONDS

    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


@pytest.mark.parametrize(("suspended", "ended", "seconds"), [(False, 0, 11), (True, 1, 60)])
def test_a_wait_has_its_time_and_more_after_a_suspension(*, suspended: bool, ended: int, seconds: float) -> None:
    assert waited(suspended=suspended) == (ended, seconds)

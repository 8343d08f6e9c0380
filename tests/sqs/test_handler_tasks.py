"""The tasks that call ``async def`` handlers."""

from __future__ import annotations

import asyncio

import pytest

from hello_queue.sqs.handler_tasks import HandlerTasks


@pytest.mark.parametrize("limit", [1, 2])
def test_work_that_arrives_while_the_last_task_ends_is_done(limit: int) -> None:
    """The task has found nothing more to do, and its callbacks have not run yet."""

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        done: list[int] = []
        over = asyncio.Event()

        async def call(piece: int) -> None:
            pass

        def finished(results: list[tuple[int, None]]) -> None:
            done.extend(piece for piece, _ in results)
            if len(done) == 3 * limit:
                over.set()
            elif len(done) % limit == 0:
                loop.call_soon(tasks.submit, [len(done) + each for each in range(limit)])

        tasks = HandlerTasks(call, limit, finished)
        tasks.submit(list(range(limit)))
        await asyncio.wait_for(over.wait(), 10)
        assert tasks.busy <= limit
        return done

    assert asyncio.run(main()) == list(range(3 * limit))

"""boto3's transport needs a thread for each call: there are enough, so that none waits for one of another kind."""

from __future__ import annotations

import asyncio
import time

import pytest

from hello_queue.sqs import blocking
from hello_queue.sqs.transports import CHOICE, open_transport
from tests.conftest import Aws
from tests.faults import Fault, FaultyPath
from tests.sqs.conftest import in_background
from tests.sqs.consuming import Recorder, consumer, fill

pytestmark = pytest.mark.usefixtures("sqs")


@pytest.fixture(autouse=True)
def boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHOICE, "boto3")


def test_the_last_deletes_do_not_wait_for_receives(aws: Aws, queue: str, path: FaultyPath) -> None:
    """When the queue becomes empty, many receives are in progress, each for a second."""
    fill(aws, queue, 400)
    handler = Recorder()
    worker = consumer(queue, handler, empty_after=None)
    thread = in_background(worker.run)
    deadline = time.monotonic() + 60
    while len(handler.bodies) < 400 and time.monotonic() < deadline:
        time.sleep(0.02)
    handled_at = time.monotonic()
    while worker.counts["processed"] < 400 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert time.monotonic() - handled_at < 2.5
    worker.stop()
    thread.join(25)
    assert worker.counts["processed"] == 400


def test_a_heartbeat_does_not_wait_for_those_without_an_answer(queue: str, path: FaultyPath) -> None:
    path.plan = lambda action, _: Fault(stall=20, status=500) if action == "ReceiveMessage" else None

    async def main() -> float:
        transport = open_transport(queue, blocking._HEARTBEAT_CALLS, 4)
        loop = asyncio.get_running_loop()
        stalled = [asyncio.ensure_future(transport.call("ReceiveMessage", {"QueueUrl": queue})) for _ in range(16)]
        while path.in_progress["ReceiveMessage"] < 4:
            await asyncio.sleep(0.02)
        began = loop.time()
        await transport.call("GetQueueAttributes", {"QueueUrl": queue})
        took = loop.time() - began
        await asyncio.gather(*stalled, return_exceptions=True)
        await transport.close()
        return took

    assert asyncio.run(main()) < 3

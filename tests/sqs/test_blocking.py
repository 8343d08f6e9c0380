"""The producer and the consumer for code without an event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hello_queue.sqs.blocking import BlockingConsumer, BlockingProducer, StopRequest
from hello_queue.sqs.consumer_config import ConsumerConfig
from hello_queue.sqs.messages import InvalidMessage
from tests.conftest import Aws
from tests.faults import FaultyPath
from tests.queues import bodies

pytestmark = pytest.mark.usefixtures("sqs")


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_stop_request_is_never_lost(when: str) -> None:
    request = StopRequest()
    stops: list[str] = []

    async def work() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()

        def stop() -> None:
            assert asyncio.get_running_loop() is loop
            stops.append(when)
            stopped.set()

        with request.calls(stop):
            if when == "during":
                threading.Thread(target=request.make).start()
            if when != "after":
                await asyncio.wait_for(stopped.wait(), 10)

    if when == "before":
        request.make()
    asyncio.run(work())
    if when == "after":
        request.make()  # the loop is closed: there is nothing left to stop
    assert request.made
    assert stops == ([] if when == "after" else [when])


def test_threads_share_a_producer(aws: Aws, path: FaultyPath, queue: str) -> None:
    """Their messages share batches."""
    ids: list[str] = []
    with BlockingProducer(queue, print, linger=0.2) as producer:
        threads = [threading.Thread(target=lambda n=n: ids.append(producer.send(f"{n}"))) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with pytest.raises(InvalidMessage, match="empty"):
            producer.send("")
    assert len(set(ids)) == 20
    assert sorted(bodies(aws, queue), key=int) == [f"{n}" for n in range(20)]
    assert path.count("SendMessageBatch") < 20


def test_a_producer_that_cannot_start(monkeypatch: pytest.MonkeyPatch, queue: str) -> None:
    monkeypatch.setenv("HELLO_QUEUE_TRANSPORT", "carrier pigeon")
    with pytest.raises(Exception, match="carrier pigeon"), BlockingProducer(queue, print):
        pass


def test_a_consumer_that_is_stopped_before_it_runs(aws: Aws, queue: str) -> None:
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="a")
    handled: list[str] = []
    consumer = BlockingConsumer(ConsumerConfig(url=queue), lambda message: handled.append(message.body), print)
    assert consumer.counts["processed"] == 0
    consumer.stop()
    assert consumer.run()
    assert handled == []
    assert bodies(aws, queue) == ["a"]

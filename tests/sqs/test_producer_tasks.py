"""`Producer.send` from many tasks: batches by count, bytes and linger time; a result means that SQS has the message."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hello_queue.project import ROOT
from hello_queue.sqs.messages import InvalidMessage
from hello_queue.sqs.producer import Producer
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.transports import open_transport
from tests.conftest import Aws
from tests.faults import Fault, FaultyPath
from tests.queues import bodies

pytestmark = pytest.mark.usefixtures("sqs")


def with_producer(url: str, work: Callable[[Producer], Awaitable[Any]], **options: Any) -> Any:
    async def main() -> Any:
        transport = open_transport(url, 8)
        retry_timeout = options.pop("retry_timeout", 30)
        producer = Producer(transport, url, RetryPolicy(retry_timeout, lambda line: None), **options)
        try:
            return await work(producer)
        finally:
            await producer.flush()
            await transport.close()

    return asyncio.run(main())


def sizes(path: FaultyPath) -> list[int]:
    return [len(content["Entries"]) for action, content in path.seen if action == "SendMessageBatch"]


def test_messages_of_many_tasks_go_in_full_batches(aws: Aws, path: FaultyPath, queue: str) -> None:
    texts = [f"{number:03}" for number in range(205)]

    async def work(producer: Producer) -> list[str]:
        return await asyncio.gather(*(producer.send(text) for text in texts))

    ids = with_producer(queue, work)
    assert len(set(ids)) == 205
    assert sorted(sizes(path)) == [5, *[10] * 20]
    assert sorted(bodies(aws, queue)) == texts


def test_a_batch_is_limited_by_bytes(path: FaultyPath, queue: str) -> None:
    async def work(producer: Producer) -> Any:
        return await asyncio.gather(*(producer.send("x" * 400_000) for _ in range(5)))

    with_producer(queue, work)
    assert sorted(sizes(path)) == [1, 2, 2]


def test_a_lone_message_waits_no_longer_than_the_linger_time(path: FaultyPath, queue: str) -> None:
    async def work(producer: Producer) -> float:
        loop = asyncio.get_running_loop()
        await producer.send("the first one connects")
        began = loop.time()
        await producer.send("alone")
        return loop.time() - began

    assert 0.2 <= with_producer(queue, work, linger=0.2) < 2


def test_a_result_means_that_sqs_has_the_message(aws: Aws, path: FaultyPath, queue: str) -> None:
    path.plan = lambda action, _: Fault(stall=0.3)

    async def work(producer: Producer) -> bool:
        sending = asyncio.ensure_future(producer.send("a"))
        await asyncio.sleep(0.1)
        early = sending.done()
        await sending
        return early

    assert with_producer(queue, work) is False
    assert bodies(aws, queue) == ["a"]


def test_each_message_has_its_own_result(path: FaultyPath, queue: str) -> None:
    def refuse_second(answer: dict[str, Any]) -> dict[str, Any]:
        failure = {"Id": "1", "SenderFault": True, "Code": "InvalidMessageContents", "Message": "no"}
        return {"Successful": [each for each in answer["Successful"] if each["Id"] != "1"], "Failed": [failure]}

    path.plan = lambda action, _: Fault(edit=refuse_second)

    async def work(producer: Producer) -> Any:
        return await asyncio.gather(*(producer.send(text) for text in "abc"), return_exceptions=True)

    first, second, third = with_producer(queue, work)
    assert isinstance(first, str)
    assert isinstance(second, InvalidMessage)
    assert isinstance(third, str)


def test_an_invalid_message_is_refused_before_it_is_sent(path: FaultyPath, queue: str) -> None:
    async def work(producer: Producer) -> None:
        await producer.send("")

    with pytest.raises(InvalidMessage, match="empty"):
        with_producer(queue, work)
    assert sizes(path) == []


def test_an_error_reaches_every_task(path: FaultyPath, queue: str) -> None:
    async def work(producer: Producer) -> Any:
        return await asyncio.gather(*(producer.send(text) for text in "abc"), return_exceptions=True)

    results = with_producer(f"{queue}-gone", work)
    assert [type(each).__name__ for each in results] == ["QueueDoesNotExist"] * 3
    assert all(isinstance(each, ClientError) for each in results)


def test_a_corrupted_message_is_sent_again(aws: Aws, path: FaultyPath, queue: str) -> None:
    """The digest in the first response is another one, as if SQS had stored another body."""

    def corrupt(answer: dict[str, Any]) -> dict[str, Any]:
        (success,) = answer["Successful"]
        return {"Successful": [{**success, "MD5OfMessageBody": "0" * 32}]}

    path.plan = lambda action, _: Fault(edit=corrupt) if path.count("SendMessageBatch") == 1 else None

    async def work(producer: Producer) -> str:
        sent: str = await producer.send("a", attributes={"n": 1.5, "b": b"\x00"}, author="Ada")
        return sent

    assert with_producer(queue, work)
    assert path.count("SendMessageBatch") == 2
    assert bodies(aws, queue) == ["a", "a"]


def test_a_fifo_group_keeps_its_order_whatever_happens_to_a_batch(aws: Aws, path: FaultyPath) -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="producer-tasks.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    # The second batch is refused at first, and the third would overtake it.
    path.plan = lambda action, _: Fault(status=500, code="InternalFailure") if len(sizes(path)) == 2 else None
    texts = [f"{number:02}" for number in range(40)]

    async def work(producer: Producer) -> Any:
        return await asyncio.gather(*(producer.send(text, group="g") for text in texts))

    with_producer(url, work)
    assert bodies(aws, url) == texts
    sqs.delete_queue(QueueUrl=url)


def test_the_example_of_the_documentation(aws: Aws, queue: str) -> None:
    text = (ROOT / "docs/messages.md").read_text()
    code = re.findall(r"```python\n(.+?)```", text, re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 (our own documentation)
    asyncio.run(names["main"](queue))
    assert sorted(bodies(aws, queue)) == sorted(f"order {number}" for number in range(1_000))

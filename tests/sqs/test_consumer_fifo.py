"""The consumer of a FIFO queue: order within a message group, and failures."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from hello_queue.sqs.handlers import Message
from tests.conftest import Aws
from tests.queues import bodies, redrive_policy
from tests.sqs.consuming import Recorder, consumer

pytestmark = pytest.mark.usefixtures("sqs")


def test_the_order_within_a_message_group_is_kept(aws: Aws, fifo_queue: str) -> None:
    """With concurrency and failures: a failure holds back its group, and no other."""
    client = aws.client("sqs")
    for index in range(20):
        entries = [
            {
                "Id": group,
                "MessageBody": f"{group}{index}",
                "MessageGroupId": group,
                "MessageDeduplicationId": f"{group}{index}",
            }
            for group in "abcdefghij"
        ]
        client.send_message_batch(QueueUrl=fifo_queue, Entries=entries)
    failures = Counter[str]()

    def handle(message: Message) -> None:
        if message.body in ("a3", "c7", "j19") and message.receive_count == 1:
            failures[message.body] += 1
            raise ValueError("once")
        time.sleep(0.002)

    handler = Recorder(handle)
    worker = consumer(fifo_queue, handler, concurrency=4, visibility_timeout=2, empty_after=5)
    worker.run()
    for group in "abcdefghij":
        assert [body for body in handler.bodies if body[0] == group] == [f"{group}{index}" for index in range(20)]
    assert sum(failures.values()) == 3
    assert handler.bodies.index("a3") - handler.bodies.index("a2") > 30, "the other groups did not wait"


def test_only_the_poisoned_message_of_a_group_moves_to_the_dead_letter_queue(aws: Aws, fifo_queue: str) -> None:
    client = aws.client("sqs")
    name = f"t-{time.time_ns()}-dlq.fifo"
    dead = client.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
    client.set_queue_attributes(QueueUrl=fifo_queue, Attributes={"RedrivePolicy": redrive_policy(aws, dead, 3)})
    for index in range(12):
        text = "poison" if index == 4 else f"{index:02}"
        client.send_message(QueueUrl=fifo_queue, MessageBody=text, MessageGroupId="g", MessageDeduplicationId=text)

    def handle(message: Message) -> None:
        if message.body == "poison":
            raise ValueError

    handler = Recorder(handle)
    consumer(fifo_queue, handler, visibility_timeout=1, empty_after=4).run()
    assert handler.bodies == [f"{index:02}" for index in range(12) if index != 4]
    assert bodies(aws, dead) == ["poison"]
    client.delete_queue(QueueUrl=dead)

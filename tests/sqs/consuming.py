"""A consumer with a handler that records what it handled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hello_queue.sqs.blocking import BlockingConsumer
from hello_queue.sqs.consumer_config import ConsumerConfig
from hello_queue.sqs.handlers import Message
from tests import queues
from tests.conftest import Aws


class Recorder:
    """A handler that records the messages and then calls a function.

    Attributes:
        begun: the bodies of the messages that it was called with.
        bodies: the bodies of the messages that it has handled.
    """

    def __init__(self, do: Callable[[Message], object] = lambda message: None) -> None:
        self._do = do
        self.begun: list[str] = []
        self.bodies: list[str] = []

    def __call__(self, message: Message) -> None:
        self.begun.append(message.body)
        self._do(message)
        self.bodies.append(message.body)


def consumer(
    queue: str,
    handler: Callable[[Message], object],
    *,
    report: Callable[[str], None] = lambda line: None,
    empty_after: float | None = 1,
    **config: Any,
) -> BlockingConsumer:
    """A consumer that stops when the queue has been empty for a second, and prints nothing."""
    return BlockingConsumer(ConsumerConfig(url=queue, empty_after=empty_after, **config), handler, report)


def fill(aws: Aws, queue: str, number: int) -> list[str]:
    """Send ``number`` messages. Returns their bodies: 00000, 00001, ..."""
    texts = [f"{index:05}" for index in range(number)]
    queues.fill(aws, queue, *texts)
    return texts


def invisible(aws: Aws, queue: str) -> int:
    """The number of messages in flight."""
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessagesNotVisible"])

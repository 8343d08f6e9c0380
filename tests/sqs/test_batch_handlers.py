"""Handlers that take several messages at once, and return which of them have failed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hello_queue.project import ROOT
from hello_queue.sqs.failures import FailureFile, last_failures
from hello_queue.sqs.handlers import Handler, Message, RetryLater, batch_handler
from tests.conftest import Aws
from tests.queues import bodies, fill
from tests.sqs.consuming import consumer

pytestmark = pytest.mark.usefixtures("sqs")

Handle = Callable[[list[Message]], Any]


def plain(most: int, handle: Handle) -> Handler:
    @batch_handler(most)
    def handler(messages: list[Message]) -> Any:
        return handle(messages)

    return handler


def coroutine(most: int, handle: Handle) -> Handler:
    @batch_handler(most)
    async def handler(messages: list[Message]) -> Any:
        await asyncio.sleep(0)
        return handle(messages)

    return handler


both = pytest.mark.parametrize("kind", [plain, coroutine])


@both
def test_messages_are_handled_in_batches(aws: Aws, queue: str, kind: Callable[[int, Handle], Handler]) -> None:
    fill(aws, queue, *(f"{number}" for number in range(40)))
    batches: list[list[str]] = []
    worker = consumer(queue, kind(4, lambda messages: batches.append([each.body for each in messages])))
    assert worker.run()
    assert worker.counts["processed"] == 40
    assert max(map(len, batches)) == 4
    assert sorted(body for batch in batches for body in batch) == sorted(f"{number}" for number in range(40))
    assert bodies(aws, queue) == []


@both
def test_single_messages_of_a_batch_can_fail(
    aws: Aws, queue: str, kind: Callable[[int, Handle], Handler], tmp_path: Path
) -> None:
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "2"})
    fill(aws, queue, "good", "bad", "later", "fine")
    seen: list[Message] = []

    def handle(messages: list[Message]) -> dict[str, Exception]:
        seen.extend(messages)
        wrong = {"bad": ValueError("it is bad"), "later": RetryLater(1)}
        return {each.id: wrong[each.body] for each in messages if each.body in wrong and each.receive_count == 1}

    file = FailureFile(tmp_path / "failures", "", print)
    worker = consumer(queue, kind(10, handle), visibility_timeout=2, empty_after=4, failures=file)
    assert worker.run()
    counts = worker.counts
    assert (counts["processed"], counts["failed"], counts["postponed"]) == (4, 1, 1)
    assert sorted((each.body, each.receive_count) for each in seen) == [
        *(("bad", 1), ("bad", 2)),
        *(("fine", 1), ("good", 1)),
        *(("later", 1), ("later", 2)),
    ]
    ids = {each.id: each.body for each in seen}
    kept = last_failures(tmp_path / "failures", ids)
    assert {ids[id]: failure.error for id, failure in kept.items()} == {"bad": "ValueError: it is bad"}


@both
@pytest.mark.parametrize("result", [True, ["id"], {"unknown": ValueError()}, {"own": "text"}, RuntimeError("x")])
def test_nothing_is_deleted_after_an_exception_or_an_invalid_result(
    aws: Aws, queue: str, kind: Callable[[int, Handle], Handler], result: object
) -> None:
    fill(aws, queue, "a", "b", "c")
    reported: list[str] = []

    def handle(messages: list[Message]) -> object:
        first = messages[0].id
        messages.clear()  # what the handler does to its list decides nothing
        if isinstance(result, Exception):
            raise result
        return {first: "text"} if result == {"own": "text"} else result

    worker = consumer(queue, kind(10, handle), report=reported.append)
    assert worker.run()
    assert (worker.counts["processed"], worker.counts["failed"]) == (0, 3)
    assert len(reported) == 3
    if not isinstance(result, Exception):
        assert "InvalidResult: the handler returned " in reported[0]


@both
def test_a_batch_has_one_message_of_each_group(
    aws: Aws, fifo_queue: str, kind: Callable[[int, Handle], Handler]
) -> None:
    sqs = aws.client("sqs")
    for number in range(4):
        for group in "gh":
            body = f"{group}{number}"
            sqs.send_message(QueueUrl=fifo_queue, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=body)
    batches: list[list[str]] = []
    worker = consumer(
        fifo_queue, kind(10, lambda messages: batches.append([each.body for each in messages])), concurrency=2
    )
    assert worker.run()
    assert all(len({body[0] for body in batch}) == len(batch) for batch in batches)
    assert max(map(len, batches)) == 2
    for group in "gh":
        handled = [body for batch in batches for body in batch if body.startswith(group)]
        assert handled == [f"{group}{number}" for number in range(4)]


def test_the_example_of_the_documentation(aws: Aws, queue: str) -> None:
    text = (ROOT / "docs/messages.md").read_text()
    code = re.findall(r"```python\n(.+?)```", text, re.DOTALL)[1]
    names: dict[str, Any] = {"insert": lambda texts: [texts.index("refused")]}
    exec(code, names)  # noqa: S102 (our own documentation)
    fill(aws, queue, "taken", "refused")
    worker = consumer(queue, names["book"], limit=2)
    assert worker.run()
    assert (worker.counts["processed"], worker.counts["postponed"]) == (1, 1)

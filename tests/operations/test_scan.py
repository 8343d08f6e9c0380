"""The way through a dead-letter queue: what it holds at most, when it ends, and what a dump leaves."""

from __future__ import annotations

import asyncio
import stat
import tracemalloc
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hello_queue.cli import redriving
from hello_queue.errors import HelloQueueError
from hello_queue.operations import scan
from hello_queue.operations.dead_letters import DeadLetter, unchanged
from hello_queue.operations.selection import Selection
from hello_queue.sqs.checksums import body_md5
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.transports import open_transport
from tests.conftest import Aws
from tests.faults import Fault, FaultyPath
from tests.operations.letters import PICK, TEXTS, Make
from tests.scripts.pairs import count


def test_a_dump_is_private_and_does_not_replace_a_file(made: Make, tmp_path: Path) -> None:
    file = tmp_path / "dump"
    _, queues = made()
    (tmp_path / "dump.partial").write_text("of a process that was killed")
    assert redriving.dump(queues, PICK, str(file)) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["dump"]
    before = file.read_text()
    with pytest.raises(HelloQueueError, match="exists: move it away"):
        redriving.dump(queues, PICK, str(file))
    assert file.read_text() == before


def test_as_many_messages_are_held_as_sqs_allows(
    aws: Aws,
    made: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(scan, "MAX_HELD", 10)
    pair, queues = made()
    assert redriving.dump(queues, Selection(), str(tmp_path / "dump")) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("10 dumped to ")
    assert "10 messages are held, about as many as SQS allows, so the others were not looked at" in shown.err
    assert count(aws, pair.dead) == len(TEXTS)


def test_messages_of_a_queue_that_is_gone_are_not_said_to_be_hidden(
    made: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    _, queues = made()

    async def delete_queue(_: Sequence[DeadLetter]) -> None:
        queues.sqs.delete_queue(QueueUrl=queues.dead_letter_url)

    async def run() -> None:
        transport, retries = open_transport(queues.dead_letter_url, 1), RetryPolicy(1, print)
        whole = scan.Scan(transport, queues.dead_letter_url, Selection(), hold=60, retry_policy=retries, report=print)
        await whole.run(delete_queue, removes=False)

    with pytest.raises(ClientError):
        asyncio.run(run())
    assert capsys.readouterr().out == ""
    queues.sqs.create_queue(QueueName=queues.dead_letter_name)  # for whoever cleans up


def test_a_message_that_was_altered_on_its_way_stays(
    aws: Aws,
    made: Make,
    path: FaultyPath,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for variable, value in path.variables().items():
        monkeypatch.setenv(variable, value)

    def alter(answer: dict[str, Any]) -> dict[str, Any]:
        answer["Messages"][0]["Body"] += "?"
        return answer

    first = Fault(edit=alter)
    path.plan = lambda action, _: first if action == "ReceiveMessage" and path.count(action) == 1 else None
    pair, queues = made()
    assert redriving.delete(queues, Selection()) == 1
    assert "does not match SQS's MD5 digest. Run the same command again" in capsys.readouterr().err
    assert count(aws, pair.dead) == 1


def test_what_fails_again_meanwhile_is_not_moved_again(
    aws: Aws, made: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    pair, queues = made()
    moved: list[DeadLetter] = []

    def fail_again(letter: DeadLetter) -> None:
        moved.append(letter)
        if len(moved) <= 2 * len(TEXTS):  # a redrive that moves them again ends, too
            aws.client("sqs").send_message(QueueUrl=pair.dead, MessageBody=letter.message.body)

    assert redriving.move(queues, Selection(), lambda each: unchanged(each, fifo=False), on_moved=fail_again) == 0
    assert len(moved) == count(aws, pair.dead) == len(TEXTS)
    shown = capsys.readouterr()
    assert shown.out == f"{len(TEXTS)} moved\n"
    assert f"{len(TEXTS)} messages sent after this began are left" in shown.err


def test_a_scan_ends_before_it_receives_a_message_again(
    aws: Aws,
    made: Make,
    path: FaultyPath,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Calls take so long that the first messages would be visible again."""
    for variable, value in path.variables().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(redriving, "hold_seconds", lambda _: 1)
    path.plan = lambda action, _: Fault(stall=1) if action == "ReceiveMessage" else None
    _, queues = made()
    assert redriving.dump(queues, Selection(), str(tmp_path / "dump")) == 1
    assert "are about to be visible again, so not all were looked at" in capsys.readouterr().err


class Endless:
    """A dead-letter queue that is too large for the local AWS: it makes its messages when they are received."""

    def __init__(self, messages: int, size: int) -> None:
        self._left = messages
        self._size = size
        self.returned = 0

    async def call(self, action: str, parameters: Mapping[str, Any], timeout: float = 30) -> Any:
        if action == "ChangeMessageVisibilityBatch":
            self.returned += len(parameters["Entries"])
            return {}
        number = min(self._left, 10)
        self._left -= number
        body = "x" * self._size
        return {
            "Messages": [
                {
                    "MessageId": str(uuid.uuid4()),
                    "ReceiptHandle": "r" * 300 + str(index),
                    "Body": f"{index}{body}",
                    "MD5OfBody": body_md5(f"{index}{body}"),
                }
                for index in range(number)
            ]
        }

    async def close(self) -> None:
        pass


def test_memory_is_bounded() -> None:
    """300 MB of messages, all of which are held."""
    queue = Endless(10_000, 30_000)
    seen = 0

    async def note(letters: Sequence[DeadLetter]) -> None:
        nonlocal seen
        seen += len(letters)

    way = scan.Scan(queue, "url", Selection(), hold=600, retry_policy=RetryPolicy(0, print), report=print)
    tracemalloc.start()
    try:
        asyncio.run(way.run(note, removes=False))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (seen, queue.returned, way.looked_at) == (10_000, 10_000, 10_000)
    assert peak < 20_000_000

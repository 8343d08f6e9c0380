"""No way through a dead-letter queue loses a message when its process is killed, or when a call fails: at any call."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import re
import stat
import time
import tracemalloc
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hello_queue.aws.clients import client
from hello_queue.cli import redriving
from hello_queue.cli.dead_letters import Queues
from hello_queue.errors import HelloQueueError
from hello_queue.operations import scan
from hello_queue.operations.dead_letters import DeadLetter, unchanged
from hello_queue.operations.selection import Selection
from hello_queue.sqs import transports
from hello_queue.sqs.batches import Entry
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.transports import Transport
from tests.conftest import Aws
from tests.faults import BROKEN, Fault, FaultyPath
from tests.local_aws.environments import inside
from tests.queues import fill
from tests.scripts.pairs import Pair, all_bodies, count, make_pair

PICKED = [f"pick-{number:02}" for number in range(7)]
OTHERS = [f"other-{number:02}" for number in range(5)]
TEXTS = [*PICKED[:4], *OTHERS, *PICKED[4:]]
MANY_CALLS = 40
DENIED = Fault(status=403, code="AccessDenied")


class Killed(BaseException):
    """Stands for the end of the process: what runs after it cannot call SQS any more."""


class Mortal:
    """A transport that works until its process is killed.

    Args:
        transport: what it calls.
        fatal: the number of the call at which the process is killed.
        acts: whether SQS gets this call.
    """

    def __init__(self, transport: Transport, fatal: int, *, acts: bool) -> None:
        self._transport = transport
        self._left = fatal
        self._acts = acts

    async def call(self, action: str, parameters: Mapping[str, Any], timeout: float = 30) -> Any:
        self._left -= 1
        if self._left > 0:
            return await self._transport.call(action, parameters, timeout)
        if self._left == 0 and self._acts:
            await self._transport.call(action, parameters, timeout)
        raise Killed

    async def close(self) -> None:
        await self._transport.close()


def edited(letter: DeadLetter) -> Entry:
    body = f"edited-{letter.message.body}"
    return Entry(0, b"", {"MessageBody": body}, len(body))


PICK = Selection(pattern=re.compile("^pick"))
Way = Callable[[Queues, Path], object]
WAYS: dict[str, Way] = {
    "move": lambda queues, _: redriving.move(queues, PICK, functools.partial(unchanged, fifo=False)),
    "edit": lambda queues, _: redriving.move(queues, PICK, edited),
    "delete": lambda queues, _: redriving.delete(queues, PICK),
    "dump": lambda queues, file: redriving.dump(queues, PICK, str(file)),
}


@pytest.fixture
def made(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], tuple[Pair, Queues]]]:
    """Makes pairs of queues with all texts in the dead-letter queue. This process calls the local AWS."""
    inside(aws, monkeypatch)
    monkeypatch.setattr(scan, "WAIT_SECONDS", 0)  # the local AWS is one server
    sqs = functools.cache(lambda: client("sqs"))  # making one takes long
    monkeypatch.setattr(transports, "client", lambda *_, **__: sqs())
    pairs = []

    def make() -> tuple[Pair, Queues]:
        pair = make_pair(aws)
        pairs.append(pair)
        fill(aws, pair.dead, *TEXTS)
        return pair, Queues.of(sqs(), pair.url)

    yield make
    for pair in pairs:
        for url in (pair.url, pair.dead):
            aws.client("sqs").delete_queue(QueueUrl=url)


def check(aws: Aws, way: str, pair: Pair, file: Path, *, incomplete: bool = False) -> None:
    """What is true whenever the process ends. ``incomplete``: it said so."""
    target, dead = Counter(all_bodies(aws, pair.url)), Counter(all_bodies(aws, pair.dead))
    assert set(OTHERS) <= set(dead), "what was not picked stays"
    assert max(dead.values()) == 1
    if way == "move":
        assert set(target) | set(dead) == set(TEXTS)
    elif way == "edit":
        assert all(text in dead or f"edited-{text}" in target for text in PICKED)
    else:
        assert not target
    if way == "dump":
        assert set(dead) == set(TEXTS)
    if file.exists() and not incomplete:
        assert sorted(json.loads(line)["body"] for line in file.read_text().splitlines()) == PICKED


@pytest.mark.parametrize("acts", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("way", WAYS)
def test_a_kill_at_any_call(
    aws: Aws,
    made: Callable[[], tuple[Pair, Queues]],
    way: str,
    acts: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then the same command continues."""
    opened = transports.open_transport
    monkeypatch.setattr(scan, "HOLD_SECONDS", 3)
    for fatal in range(1, MANY_CALLS):
        pair, queues = made()
        monkeypatch.setattr(redriving, "open_transport", lambda *a: Mortal(opened(*a), fatal, acts=acts))  # noqa: B023
        try:
            WAYS[way](queues, tmp_path / str(fatal))
        except Killed:
            check(aws, way, pair, tmp_path / str(fatal))
        else:
            break
    else:
        pytest.fail("it takes more calls")
    assert fatal > 5, "it was killed at each call"
    monkeypatch.setattr(redriving, "open_transport", lambda *a: Mortal(opened(*a), fatal // 2, acts=acts))
    pair, queues = made()
    with pytest.raises(Killed):
        WAYS[way](queues, tmp_path / "again")
    monkeypatch.setattr(redriving, "open_transport", opened)
    left = len(all_bodies(aws, pair.dead))
    wait_until(lambda: count(aws, pair.dead) == left)
    WAYS[way](Queues.of(queues.sqs, pair.url), tmp_path / "again")
    check(aws, way, pair, tmp_path / "again")
    assert sorted(all_bodies(aws, pair.dead)) == sorted(OTHERS if way in ("move", "edit", "delete") else TEXTS)
    assert (tmp_path / "again").exists() == (way == "dump")


def wait_until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("way", "fault"),
    [
        *[(way, Fault(lose_answer=True)) for way in ("edit", "delete", "dump")],
        ("move", BROKEN),
        ("move", DENIED),
        ("dump", DENIED),
    ],
)
def test_a_fault_at_any_call(
    aws: Aws,
    made: Callable[[], tuple[Pair, Queues]],
    path: FaultyPath,
    way: str,
    fault: Fault,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Transient ones are overcome. A receive whose answer was lost leaves messages hidden, which is reported."""
    for variable, value in path.variables().items():
        monkeypatch.setenv(variable, value)
    for hit in range(1, MANY_CALLS):
        path.plan = lambda *_: None
        pair, queues = made()
        del path.seen[:]
        path.plan = lambda action, _: fault if len(path.seen) == hit else None  # noqa: B023
        file = tmp_path / str(hit)
        status: object = None
        with contextlib.suppress(ClientError):
            status = WAYS[way](queues, file)
        check(aws, way, pair, file, incomplete=status == 1)
        if len(path.seen) < hit:
            assert status == 0
            break
        action, _ = path.seen[hit - 1]
        reported = capsys.readouterr().err
        if action == "ChangeMessageVisibilityBatch":
            assert "could not be made visible again" in reported
        elif fault is DENIED:
            assert status is None
        elif action == "ReceiveMessage" and fault.lose_answer:
            assert "the answer to a receive was lost" in reported
    assert hit > 5


def test_a_dump_is_private_and_does_not_replace_a_file(made: Callable[[], tuple[Pair, Queues]], tmp_path: Path) -> None:
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
    made: Callable[[], tuple[Pair, Queues]],
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


def test_a_scan_ends_before_it_receives_a_message_again(
    aws: Aws,
    made: Callable[[], tuple[Pair, Queues]],
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
                {"MessageId": str(uuid.uuid4()), "ReceiptHandle": "r" * 300 + str(index), "Body": f"{index}{body}"}
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

"""No way through a dead-letter queue loses a message when its process is killed, or when a call fails: at any call."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hello_queue.cli import redriving
from hello_queue.cli.dead_letters import Queues
from hello_queue.operations import scan
from hello_queue.operations.dead_letters import DeadLetter, unchanged
from hello_queue.sqs import transports
from hello_queue.sqs.batches import Entry
from hello_queue.sqs.transports import Transport
from tests.conftest import Aws
from tests.faults import BROKEN, Fault, FaultyPath
from tests.operations.letters import OTHERS, PICK, PICKED, TEXTS, Make
from tests.scripts.pairs import Pair, all_bodies, count

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


Way = Callable[[Queues, Path], object]
WAYS: dict[str, Way] = {
    "move": lambda queues, _: redriving.move(queues, PICK, functools.partial(unchanged, fifo=False)),
    "edit": lambda queues, _: redriving.move(queues, PICK, edited),
    "delete": lambda queues, _: redriving.delete(queues, PICK),
    "dump": lambda queues, file: redriving.dump(queues, PICK, str(file)),
}


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
    made: Make,
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
    made: Make,
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


def test_copies_with_other_content_are_reported(
    aws: Aws, made: Make, path: FaultyPath, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The digest of a message in the first answer is another one, as if SQS had stored another body."""
    for variable, value in path.variables().items():
        monkeypatch.setenv(variable, value)

    def corrupt(answer: dict[str, Any]) -> dict[str, Any]:
        first, *rest = answer["Successful"]
        return {"Successful": [{**first, "MD5OfMessageBody": "0" * 32}, *rest]}

    first = Fault(edit=corrupt)
    path.plan = lambda action, _: first if action == "SendMessageBatch" and path.count(action) == 1 else None
    pair, queues = made()
    assert WAYS["move"](queues, Path()) == 0
    shown = capsys.readouterr()
    assert shown.out.endswith(f"{len(PICKED)} moved\n")
    assert "1 copy is in the queue with other content than was sent" in shown.err
    assert len(all_bodies(aws, pair.url)) == len(PICKED) + 1

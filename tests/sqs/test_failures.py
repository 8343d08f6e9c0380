"""Why messages failed: what the consumer keeps, and what is found in it."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hello_queue.errors import UsageError
from hello_queue.project import ROOT
from hello_queue.sqs.failures import Failure, FailureFile, last_failures
from hello_queue.sqs.handlers import CannotGoOn, Message, NothingHandled, RetryLater
from tests.conftest import Aws
from tests.queues import fill
from tests.scripts.pairs import Pair, make_pair
from tests.sqs.consuming import consumer


def test_the_last_failure_is_found(tmp_path: Path) -> None:
    path = tmp_path / "failures"
    file = FailureFile(path, "orders:book", print)
    for count, text in ((1, "first"), (2, "last")):
        file.add(Message("a", "body", receive_count=count), ValueError(text))
    file.add(Message("b", "body"), KeyError("x"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = last_failures(path, {"a", "c"})
    assert list(found) == ["a"]
    failure = found["a"]
    assert (failure.error, failure.handler, failure.receive_count) == ("ValueError: last", "orders:book", 2)
    assert failure.time.endswith("+00:00")


def test_other_lines_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "failures"
    lines = ["", "text", "[1]", '"a"', '{"message_id": 5, "error": "x"}', '{"message_id": "a"}', '{"error": "x"}']
    lines += [
        '{"message_id": "a", "error": "good", "receive_count": "many", "level": "error"}',
        '{"message_id": "a", "er',
    ]
    path.write_bytes("\n".join(lines).encode() + b"\n\xff\n" + b"[" * 100_000)
    assert last_failures(path, {"a"}) == {"a": Failure(time="", error="good")}


def test_records_of_the_log_are_failures_too(tmp_path: Path) -> None:
    path = tmp_path / "log"
    record = {
        "message_id": "a",
        "receive_count": 3,
        "timestamp": "2026-11-25T08:00:00.000Z",
        "level": "ERROR",
        "message": "message a failed at receive 3: KeyError: 'price' (orders.py:12)",
        "exception_name": "KeyError",
        "exception": "Traceback ...",
    }
    other = {"message_id": "b", "message": "message b took long"}
    path.write_text("".join(json.dumps(each) + "\n" for each in (record, other)))
    failure = Failure("2026-11-25T08:00:00.000Z", "KeyError: 'price' (orders.py:12)", "", 3)
    assert last_failures(path, {"a", "b"}) == {"a": failure}


def test_only_failures_are_kept(tmp_path: Path) -> None:
    file = FailureFile(tmp_path / "failures", "", print)
    errors = {
        "error": ValueError("x"),
        "exit": SystemExit(1),
        "nothing": NothingHandled("x"),
        "later": RetryLater(0),
        "gone": CannotGoOn("x"),
    }
    for id, error in errors.items():
        file.add(Message(id, "body"), error)
    found = last_failures(tmp_path / "failures", errors)
    assert {id: failure.error for id, failure in found.items()} == {
        "error": "ValueError: x",
        "exit": "SystemExit: 1",
        "nothing": "NothingHandled: x",
    }


def test_a_retry_at_the_last_receive_is_kept(tmp_path: Path) -> None:
    """The message becomes a dead letter after it."""
    file = FailureFile(tmp_path / "failures", "", print, 3)
    for count in (2, 3, 4):
        file.add(Message(f"receive {count}", "later", receive_count=count), RetryLater(0))
    found = last_failures(tmp_path / "failures", {f"receive {count}" for count in (2, 3, 4)})
    assert list(found) == ["receive 3", "receive 4"]
    assert found["receive 3"].error == "RetryLater: retry in 0 s"


@pytest.mark.usefixtures("sqs")
@pytest.mark.parametrize("is_async", [False, True])
def test_a_consumer_keeps_why_its_messages_failed(aws: Aws, queue: str, tmp_path: Path, is_async: bool) -> None:
    fill(aws, queue, "bad")

    def fail(message: Message) -> None:
        raise ValueError(message.body)

    async def fail_later(message: Message) -> None:
        raise ValueError(message.body)

    file = FailureFile(tmp_path / "failures", "orders:book", print)
    consumer(queue, fail_later if is_async else fail, failures=file).run()
    (line,) = (tmp_path / "failures").read_text().splitlines()
    content = json.loads(line)
    assert (content["error"].partition(" (")[0], content["handler"]) == ("ValueError: bad", "orders:book")


def test_a_long_error_is_cut(tmp_path: Path) -> None:
    file = FailureFile(tmp_path / "failures", "", print)
    file.add(Message("a", "body"), ValueError("x" * 1_000_000))
    assert (tmp_path / "failures").stat().st_size < 3_000


@pytest.mark.parametrize(("name", "reason"), [("/", "Is a directory"), ("/no/such/file", "No such file")])
def test_a_file_that_cannot_be_written(name: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        FailureFile(Path(name), "", print).create()


def test_a_line_that_a_full_disk_cut_hides_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "failures"
    file = FailureFile(path, "", print)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))
    try:
        file.add(Message("a", "body"), ValueError("cut"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.stat().st_size == 20
    assert "cannot be written: No space left on device" in capsys.readouterr().out
    file.add(Message("b", "body"), ValueError("whole"))
    assert last_failures(path, {"a", "b"}).keys() == {"b"}


def test_a_full_disk_is_reported_once() -> None:
    code = (
        "from hello_queue.sqs.failures import *\n"
        "file = FailureFile(Path('/dev/full'), '', print)\n"
        "for _ in range(3): file.add(Message('a', 'b'), ValueError('x'))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "--failures '/dev/full' cannot be written: No space left on device\n"


@pytest.mark.parametrize("processes", [1, 2])
def test_redrive_shows_why_a_message_failed(aws: Aws, tmp_path: Path, processes: int) -> None:
    pair: Pair = make_pair(aws)
    fill(aws, pair.url, "good", "poison 1", "poison 2")
    file = tmp_path / "failures.jsonl"
    env = {"PYTHONPATH": str(ROOT / "tests/sqs"), "LEDGER": str(tmp_path / "ledger")}
    options = ["--handler=handling:poison", "--empty-after=4", f"--processes={processes}", f"--failures={file}"]
    aws.script("process.py", "--queue-url", pair.url, *options, env=env, check=False)  # 1: a message failed
    assert len(file.read_text().splitlines()) == 6
    shown = aws.script("redrive.py", "--queue-url", pair.url, "--failures", str(file)).stdout.splitlines()
    assert len(shown) == 4
    for line in (1, 3):
        assert shown[line].startswith("    ValueError: it is poisoned (")
        assert ", in handling:poison, 20" in shown[line]
    as_json = aws.script("redrive.py", "--queue-url", pair.url, "--failures", str(file), "--json", "--first=1").stdout
    assert json.loads(as_json)["failure"]["receive_count"] == 3
    file.write_text("")
    assert (
        "the file has no failure of it"
        in aws.script("redrive.py", "--queue-url", pair.url, "--failures", str(file)).stdout
    )
    for url in (pair.url, pair.dead):
        aws.client("sqs").delete_queue(QueueUrl=url)

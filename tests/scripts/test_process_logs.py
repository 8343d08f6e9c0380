"""What process.py logs: its own records and those of a handler, as text and as JSON."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Aws
from tests.queues import fill
from tests.scripts.worker import Worker, until

RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\w+) ([\w.]+)\[(\d+)\]: (.*)")


def processed(aws: Aws, directory: Path, queue: str, *arguments: str) -> tuple[Worker, str]:
    """Have two messages processed, a good one and one that fails, and stop with SIGTERM. Returns what was logged."""
    fill(aws, queue, "a", "poison")
    worker = Worker(aws, directory, queue, "logs", "--forever", *arguments)
    assert worker.process.stderr is not None
    shown = ""
    while "poisoned" not in shown or "booked a" not in shown:
        shown += worker.process.stderr.readline()
    until(worker.handled)
    worker.process.send_signal(signal.SIGTERM)
    shown += worker.process.stderr.read()  # not by Worker.end: readline has taken more than one line
    assert worker.process.wait(60) == 1, shown
    assert aws.instance.root.secret not in shown
    return worker, shown


@pytest.mark.parametrize("processes", ["1", "2"])
def test_records_as_text(aws: Aws, queue: str, tmp_path: Path, processes: str) -> None:
    worker, shown = processed(aws, tmp_path, queue, f"--processes={processes}")
    details = [each for each in shown.splitlines() if each.startswith("  ")]
    records = [RECORD.fullmatch(each) for each in shown.splitlines() if not each.startswith("  ")]
    found = [(each[1], each[2], each[4]) for each in records if each]
    assert len(found) == len(records), shown
    assert sorted(each for each in found if each[1] == "orders") == [
        ("INFO", "orders", "booked a\\x1b"),
        ("INFO", "orders", "booked poison\\x1b"),
    ]
    (failure,) = (each for each in found if each[0] == "ERROR")
    assert "failed at receive 1: ValueError: it is poisoned (" in failure[2]
    assert details[0] == "  Traceback (most recent call last):"
    assert details[-1] == "  ValueError: it is poisoned"
    assert any('tests/sqs/handling.py", line' in each for each in details)
    assert found[-2][:2] == ("WARNING", "hello_queue")
    assert found[-2][2].startswith("stopping: ")
    assert found[-1] == ("INFO", "hello_queue", "1 processed, 1 failed")
    noted = {each[3] for each in records if each and each[2] == "orders"}
    assert worker.processes() <= noted
    assert (str(worker.process.pid) in noted) == (processes == "1")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_records_as_json(aws: Aws, queue: str, tmp_path: Path, processes: str) -> None:
    worker, shown = processed(aws, tmp_path, queue, "--log=json", f"--processes={processes}", "--stats=1")
    records: list[dict[str, Any]] = [json.loads(each) for each in shown.splitlines()]
    assert all({"timestamp", "level", "logger", "process", "message"} <= each.keys() for each in records)
    booked = [each for each in records if each["logger"] == "orders"]
    assert sorted((each["message"], each["order"]) for each in booked) == [
        ("booked a\x1b", "a"),
        ("booked poison\x1b", "poison"),
    ]
    (failure,) = (each for each in records if each["level"] == "ERROR")
    assert failure["message"].startswith(f"message {failure['message_id']} failed at receive 1: ")
    assert (failure["receive_count"], failure["exception_name"]) == (1, "ValueError")
    assert failure["exception"].endswith("\nValueError: it is poisoned")
    assert (failure["process"] == worker.process.pid) == (processes == "1")
    assert (records[-1]["processed"], records[-1]["failed"], records[-1]["process"]) == (1, 1, worker.process.pid)


def test_an_error_that_ends_it_is_a_record(aws: Aws, queue: str, tmp_path: Path) -> None:
    done = aws.script("process.py", "--queue=no-such-queue", "--forever", "--log=json", check=False)
    assert done.returncode == 1
    record = json.loads(done.stderr)
    assert (record["level"], record["logger"]) == ("ERROR", "hello_queue")
    assert record["message"].startswith("there is no queue 'no-such-queue' in us-east-1: ")


def test_without_forever_there_are_plain_lines_unless_a_log_is_wanted(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, "poison")
    plain = Worker(aws, tmp_path, queue, "poison", "--count=1").end().splitlines()
    assert [each.partition(" ")[0] for each in plain] == ["message", "0"]
    fill(aws, queue, "poison")
    worker = Worker(aws, tmp_path, queue, "poison", "--count=1", "--log=text", "--json")
    assert RECORD.fullmatch(worker.end().splitlines()[0])
    assert json.loads(worker.output)["failed"] == 1

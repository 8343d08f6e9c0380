"""process.py as a process that others rely on: handlers, signals, crashes, several processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.queues import bodies, fill, redrive_policy

HANDLING = ROOT / "tests/queueing"


class Worker:
    """process.py with a handler that notes what it has handled in a file."""

    def __init__(self, aws: Aws, directory: Path, queue: str, handler: str, *arguments: str, **variables: str) -> None:
        self.ledger = directory / "ledger"
        environment = {
            **aws.instance.environment(),
            "PYTHONPATH": str(HANDLING),
            "LEDGER": str(self.ledger),
            **variables,
        }
        command = [sys.executable, "scripts/process.py", "--queue-url", queue, "--handler", f"handling:{handler}"]
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def handled(self) -> list[str]:
        """The bodies, in the order in which they were handled."""
        return [line.split(" ", 2)[2] for line in self._lines()]

    def processes(self) -> set[str]:
        return {line.split(" ", 1)[0] for line in self._lines()}

    def end(self, timeout: float = 60) -> str:
        """Wait until it ends. Returns what it said."""
        _, said = self.process.communicate(timeout=timeout)
        return said

    def _lines(self) -> list[str]:
        return self.ledger.read_text().splitlines() if self.ledger.exists() else []


def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)


TEXTS = [f"{index:04}" for index in range(300)]


def test_a_handler_of_ones_own(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, *TEXTS)
    worker = Worker(aws, tmp_path, queue, "note", "--empty-after", "1", "--json")
    said = worker.end()
    assert sorted(worker.handled()) == TEXTS
    summary = json.loads(said.splitlines()[-1])
    assert (summary["processed"], summary["failed"]) == (300, 0)


def test_a_handler_in_the_current_folder(aws: Aws, queue: str, tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("def book(message): print('booked', message.body)\n")
    fill(aws, queue, "a")
    script = str(ROOT / "scripts/process.py")
    done = subprocess.run(
        [sys.executable, script, "--queue-url", queue, "--handler=orders:book", "--count=1"],
        cwd=tmp_path,
        env=aws.instance.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "booked a\n"


def test_several_processes(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, *TEXTS, *TEXTS)
    worker = Worker(aws, tmp_path, queue, "slow", "--processes=3", "--empty-after=2", "--concurrency=4", SECONDS="0.05")
    assert "600 processed" in worker.end()
    assert len(worker.processes()) == 3
    assert Counter(worker.handled()) == dict.fromkeys(TEXTS, 2)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_signal_finishes_what_has_begun(
    aws: Aws, queue: str, tmp_path: Path, signum: signal.Signals, processes: str
) -> None:
    """As a terminal does it: to all processes. What was handled is deleted, all else is there at once."""
    fill(aws, queue, *TEXTS)
    worker = Worker(
        aws, tmp_path, queue, "slow", "--forever", "--concurrency=4", f"--processes={processes}", SECONDS="0.04"
    )
    until(lambda: len(worker.handled()) > 40 and len(worker.processes()) == int(processes))
    os.killpg(worker.process.pid, signum)
    said = worker.end()
    assert worker.process.returncode == 0, said
    assert "Traceback" not in said
    handled = worker.handled()
    left = bodies(aws, queue)
    assert len(handled) < 300
    assert sorted(handled + left) == TEXTS
    assert f"{len(handled)} processed" in said


def test_a_second_signal_ends_it_at_once(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, "a")
    worker = Worker(aws, tmp_path, queue, "slow", "--forever", SECONDS="30")
    sqs = aws.client("sqs")
    name = "ApproximateNumberOfMessagesNotVisible"
    until(lambda: sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name] == "1")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.stderr
    while "stopping" not in worker.process.stderr.readline():
        pass
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(5) == 143
    assert worker.handled() == []


def test_the_grace_time_ends_it(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, "a")
    worker = Worker(aws, tmp_path, queue, "slow", "--forever", "--grace=1", SECONDS="60")
    sqs = aws.client("sqs")
    name = "ApproximateNumberOfMessagesNotVisible"
    until(lambda: sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name] == "1")
    worker.process.send_signal(signal.SIGTERM)
    said = worker.end(20)
    assert worker.process.returncode == 1
    assert "the grace time is over" in said


def test_a_kill_loses_nothing(aws: Aws, queue: str, tmp_path: Path) -> None:
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "2"})
    fill(aws, queue, *TEXTS)
    worker = Worker(aws, tmp_path, queue, "slow", "--forever", "--concurrency=4", "--processes=2", SECONDS="0.02")
    until(lambda: len(worker.handled()) > 100)
    worker.process.kill()
    worker.process.wait()
    again = Worker(aws, tmp_path, queue, "note", "--empty-after=4", "--concurrency=4")
    again.end()
    assert set(again.handled()) == set(TEXTS)


def test_the_other_processes_end_with_the_first(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, *TEXTS)
    worker = Worker(aws, tmp_path, queue, "slow", "--forever", "--processes=2", SECONDS="0.02")
    until(lambda: len(worker.processes()) == 2)
    (child,) = worker.processes() - {str(worker.process.pid)}
    worker.process.kill()
    until(lambda: not Path(f"/proc/{child}").exists())


def test_a_process_that_a_handler_takes_down_is_told(aws: Aws, queue: str, tmp_path: Path) -> None:
    """Out of memory, say: whoever runs it sees it, and the message is there for another attempt."""
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "2"})
    fill(aws, queue, *TEXTS)
    worker = Worker(aws, tmp_path, queue, "slow", "--forever", "--processes=2", SECONDS="0.02")
    until(lambda: len(worker.processes()) == 2)
    (child,) = worker.processes() - {str(worker.process.pid)}
    os.kill(int(child), signal.SIGKILL)
    said = worker.end()
    assert worker.process.returncode == 1
    assert "one of the processes ended with -9" in said
    again = Worker(aws, tmp_path, queue, "note", "--empty-after=4", "--concurrency=4")
    again.end()
    assert set(again.handled()) == set(TEXTS)


def test_a_poisoned_message_ends_in_the_dead_letter_queue(aws: Aws, queue: str, tmp_path: Path) -> None:
    sqs = aws.client("sqs")
    dead = sqs.create_queue(QueueName=f"t-{time.time_ns()}-dlq")["QueueUrl"]
    redrive = redrive_policy(aws, dead, 3)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "1"})
    fill(aws, queue, *TEXTS[:20], "poison", *TEXTS[20:40])
    worker = Worker(aws, tmp_path, queue, "poison", "--empty-after=4")
    said = worker.end()
    assert "40 processed, 3 failed" in said
    assert said.count("ValueError: it is poisoned (") == 3
    assert sorted(worker.handled()) == TEXTS[:40]
    assert bodies(aws, dead) == ["poison"]
    sqs.delete_queue(QueueUrl=dead)


def test_what_is_to_be_tried_later_is(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, *TEXTS[:5])
    worker = Worker(aws, tmp_path, queue, "later", "--empty-after=3")
    assert "5 processed, 5 to be tried later" in worker.end()
    assert sorted(worker.handled()) == TEXTS[:5]


@pytest.mark.parametrize(
    ("handler", "said"),
    [("no_such", "no function 'no_such'"), ("not_a_function", "no function 'not_a_function'")],
)
def test_no_handler(aws: Aws, queue: str, tmp_path: Path, handler: str, said: str) -> None:
    worker = Worker(aws, tmp_path, queue, handler)
    message = worker.end()
    assert worker.process.returncode == 2
    assert message.count("\n") == 1
    assert said in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--concurrency=0"], "from 1 to 100"),
        (["--max-handling-time=0"], "from 1 to 43,200"),
        (["--grace=-1"], "from 0"),
        (["--count=1", "--processes=2"], "--count needs --processes 1"),
        (["--count=1", "--forever"], "not allowed with"),
    ],
)
def test_what_it_cannot_do(aws: Aws, queue: str, arguments: list[str], said: str) -> None:
    done = aws.script("process.py", "--queue-url", queue, *arguments, check=False)
    assert done.returncode == 2
    assert said in done.stderr.strip().splitlines()[-1]


def test_a_queue_deleted_underneath(aws: Aws, tmp_path: Path) -> None:
    url = aws.client("sqs").create_queue(QueueName=f"t-{time.time_ns()}")["QueueUrl"]
    fill(aws, url, "a")
    worker = Worker(aws, tmp_path, url, "note", "--forever")
    until(worker.handled)
    aws.client("sqs").delete_queue(QueueUrl=url)
    fill_later = worker.end(60)
    assert worker.process.returncode == 1
    assert "Check the queue's name" in fill_later.splitlines()[-1]

"""process.py and signals: the first one finishes, the second one ends it at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Aws
from tests.queues import bodies, fill
from tests.scripts.worker import TEXTS, Worker, until


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_signal_finishes_running_handlers(
    aws: Aws, queue: str, tmp_path: Path, signum: signal.Signals, processes: str
) -> None:
    """All processes get it, as from a terminal. Handled messages are deleted, and all others are visible at once."""
    fill(aws, queue, *TEXTS)
    worker = Worker(
        aws, tmp_path, queue, "slow", "--forever", "--concurrency=4", f"--processes={processes}", SECONDS="0.04"
    )
    until(lambda: len(worker.handled()) > 40 and len(worker.processes()) == int(processes))
    os.killpg(worker.process.pid, signum)
    errors = worker.end()
    assert worker.process.returncode == 0, errors
    assert "Traceback" not in errors
    handled = worker.handled()
    left = bodies(aws, queue)
    assert len(handled) < 300
    assert sorted(handled + left) == TEXTS
    assert f"{len(handled)} processed" in errors


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_worker_processes_start(aws: Aws, queue: str, tmp_path: Path, signum: signal.Signals) -> None:
    worker = Worker(aws, tmp_path, queue, "note", "--forever", "--processes=2")
    children = Path(f"/proc/{worker.process.pid}/task/{worker.process.pid}/children")
    until(lambda: len(children.read_text().split()) > 1)  # the resource tracker and the first worker process
    os.killpg(worker.process.pid, signum)
    errors = worker.end()
    assert "Traceback" not in errors
    assert "killed" not in errors
    assert worker.process.returncode in (0, 130, -signal.SIGTERM)


def test_worker_processes_end_with_a_parent_that_never_runs_them(aws: Aws, queue: str, tmp_path: Path) -> None:
    """A signal can come between the start of the worker processes and `Consumers.run`."""
    program = f"""
from hello_queue.sqs.consumer_config import ConsumerConfig
from hello_queue.sqs.consumers import Consumers

def load():
    return print

if __name__ == "__main__":
    consumers = Consumers(ConsumerConfig(url={queue!r}), load, print, processes=2, grace=30)
    raise SystemExit(3)"""
    (tmp_path / "interrupted.py").write_text(program)
    command = [sys.executable, "interrupted.py"]
    ended = subprocess.run(command, cwd=tmp_path, env=aws.instance.environment(), timeout=30, check=False)
    assert ended.returncode == 3


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


def test_the_end_of_the_grace_period_ends_it(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, "a")
    worker = Worker(aws, tmp_path, queue, "slow", "--forever", "--grace=1", SECONDS="60")
    sqs = aws.client("sqs")
    name = "ApproximateNumberOfMessagesNotVisible"
    until(lambda: sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name] == "1")
    worker.process.send_signal(signal.SIGTERM)
    errors = worker.end(20)
    assert worker.process.returncode == 1
    assert "the grace period is over" in errors

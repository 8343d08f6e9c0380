"""process.py with several processes and under faults: what is killed, poisoned, or lost on the way."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

from tests.conftest import Aws
from tests.faults import Fault, FaultyPath
from tests.queues import bodies, fill, redrive_policy
from tests.scripts.worker import TEXTS, Worker, until


def test_several_processes(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, *TEXTS, *TEXTS)
    worker = Worker(aws, tmp_path, queue, "slow", "--processes=3", "--empty-after=2", "--concurrency=4", SECONDS="0.05")
    assert "600 processed" in worker.end()
    assert worker.process.returncode == 0
    assert len(worker.processes()) == 3
    assert Counter(worker.handled()) == dict.fromkeys(TEXTS, 2)


def test_a_kill_loses_no_message(aws: Aws, queue: str, tmp_path: Path) -> None:
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "2"})
    fill(aws, queue, *TEXTS)
    worker = Worker(aws, tmp_path, queue, "slow", "--forever", "--concurrency=4", "--processes=2", SECONDS="0.02")
    until(lambda: len(worker.handled()) > 100)
    worker.process.kill()
    worker.process.wait()
    again = Worker(aws, tmp_path, queue, "note", "--empty-after=4", "--concurrency=4")
    again.end()
    assert set(again.handled()) == set(TEXTS)


def test_worker_processes_end_with_their_parent(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, *TEXTS)
    worker = Worker(aws, tmp_path, queue, "slow", "--forever", "--processes=2", SECONDS="0.02")
    until(lambda: len(worker.processes()) == 2)
    workers = worker.processes()
    assert str(worker.process.pid) not in workers
    worker.process.kill()
    until(lambda: not any(Path(f"/proc/{each}").exists() for each in workers))


def test_a_killed_worker_process_is_reported(aws: Aws, queue: str, tmp_path: Path) -> None:
    """By the kernel when memory runs out, for example. Its messages are received again."""
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "2"})
    fill(aws, queue, *TEXTS)
    worker = Worker(aws, tmp_path, queue, "slow", "--forever", "--processes=2", SECONDS="0.02")
    until(lambda: len(worker.processes()) == 2)
    os.kill(int(worker.processes().pop()), signal.SIGKILL)
    errors = worker.end()
    assert worker.process.returncode == 1
    assert "]: a worker process was killed by signal SIGKILL (out of memory?): " in errors
    again = Worker(aws, tmp_path, queue, "note", "--empty-after=4", "--concurrency=4")
    again.end()
    assert set(again.handled()) == set(TEXTS)


def test_a_heartbeat_without_an_answer_loses_no_message(aws: Aws, path: FaultyPath, queue: str, tmp_path: Path) -> None:
    """The first extension is never answered; the next ones come early enough."""
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "6"})
    fill(aws, queue, "a", "b")
    action = "ChangeMessageVisibilityBatch"
    path.plan = lambda each, _: Fault(stall=31) if each == action and path.count(action) == 1 else None
    worker = Worker(aws, tmp_path, queue, "slow", "--count=2", "--concurrency=2", SECONDS="12", **path.variables())
    errors = worker.end()
    assert path.count(action) > 2
    assert errors.endswith("2 processed\n")
    assert worker.process.returncode == 0
    assert worker.handled() in (["a", "b"], ["b", "a"])


def test_a_poisoned_message_moves_to_the_dead_letter_queue(aws: Aws, queue: str, tmp_path: Path) -> None:
    sqs = aws.client("sqs")
    dead = sqs.create_queue(QueueName=f"t-{time.time_ns()}-dlq")["QueueUrl"]
    redrive = redrive_policy(aws, dead, 3)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "1"})
    fill(aws, queue, *TEXTS[:20], "poison", *TEXTS[20:40])
    worker = Worker(aws, tmp_path, queue, "poison", "--empty-after=4")
    errors = worker.end()
    assert worker.process.returncode == 1
    assert "40 processed, 3 failed" in errors
    assert errors.count("ValueError: it is poisoned (") == 3
    assert sorted(worker.handled()) == TEXTS[:40]
    assert bodies(aws, dead) == ["poison"]
    sqs.delete_queue(QueueUrl=dead)


def test_postponed_messages_are_received_again(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, *TEXTS[:5])
    worker = Worker(aws, tmp_path, queue, "later", "--empty-after=3")
    assert "5 processed, 5 times returned for a later retry" in worker.end()
    assert worker.process.returncode == 0
    assert sorted(worker.handled()) == TEXTS[:5]


def test_a_queue_that_is_deleted_meanwhile(aws: Aws, tmp_path: Path) -> None:
    url = aws.client("sqs").create_queue(QueueName=f"t-{time.time_ns()}")["QueueUrl"]
    fill(aws, url, "a")
    worker = Worker(aws, tmp_path, url, "note", "--forever")
    until(worker.handled)
    aws.client("sqs").delete_queue(QueueUrl=url)
    errors = worker.end(60)
    assert worker.process.returncode == 1
    assert "Check the queue's name" in errors.splitlines()[-1]

"""status.py and redrive.py: a bad day, from the poisoned message to its end."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hello_queue.operations.metrics import Figures, change_per_second, seconds_to_drain
from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.faults import Fault, FaultyPath, faulty_path
from tests.queues import bodies, fill, redrive_policy

HANDLING = {"PYTHONPATH": str(ROOT / "tests/sqs")}


@dataclass(frozen=True)
class Pair:
    """A queue and its dead-letter queue."""

    url: str
    dead: str


def make_pair(aws: Aws, suffix: str = "", **attributes: str) -> Pair:
    sqs = aws.client("sqs")
    name = f"t-{time.time_ns()}"
    dead = sqs.create_queue(QueueName=f"{name}-dlq{suffix}", Attributes=attributes)["QueueUrl"]
    attributes = {"VisibilityTimeout": "1", "RedrivePolicy": redrive_policy(aws, dead, 3), **attributes}
    return Pair(sqs.create_queue(QueueName=f"{name}{suffix}", Attributes=attributes)["QueueUrl"], dead)


@pytest.fixture
def pair(aws: Aws) -> Iterator[Pair]:
    made = make_pair(aws)
    yield made
    for url in (made.url, made.dead):
        aws.client("sqs").delete_queue(QueueUrl=url)


def process(aws: Aws, pair: Pair, handler: str, ledger: Path, *, status: int = 0) -> None:
    arguments = ["--queue-url", pair.url, "--handler", f"handling:{handler}", "--empty-after=4"]
    done = aws.script("process.py", *arguments, check=False, env={**HANDLING, "LEDGER": str(ledger)})
    assert done.returncode == status, done.stderr


def test_a_bad_day(aws: Aws, pair: Pair, tmp_path: Path) -> None:
    """A poisoned message ends in the dead-letter queue, is seen there, and with a mended handler is processed, once."""
    fill(aws, pair.url, "good", "poison")
    process(aws, pair, "poison", tmp_path / "ledger", status=1)
    status = aws.script("status.py", "--queue-url", pair.url, check=False)
    assert status.returncode == 1
    assert status.stdout.splitlines()[1].split()[-1] == "1"
    shown = aws.script("redrive.py", "--queue-url", pair.url, "--json")
    letter = json.loads(shown.stdout)
    assert letter["body"] == "poison"
    assert letter["receive_count"] == 4  # three tries, and this look
    again = aws.script("redrive.py", "--queue-url", pair.url)
    assert re.search(r"received +5 times  poison$", again.stdout, re.MULTILINE)
    assert "1 shown of about 1 in" in again.stderr
    assert aws.script("redrive.py", "--queue-url", pair.url, "--move", "--yes").stdout.endswith("1 moved\n")
    process(aws, pair, "note", tmp_path / "mended")
    assert [line.split()[-1] for line in (tmp_path / "mended").read_text().splitlines()] == ["poison"]
    healthy = aws.script("status.py", "--queue-url", pair.url)
    assert healthy.stdout.splitlines()[1].split()[-1] == "0"


def test_status_counts(aws: Aws, pair: Pair) -> None:
    sqs = aws.client("sqs")
    fill(aws, pair.url, *[str(number) for number in range(7)])
    sqs.send_message(QueueUrl=pair.url, MessageBody="later", DelaySeconds=60)
    sqs.receive_message(QueueUrl=pair.url, MaxNumberOfMessages=2, VisibilityTimeout=60)
    done = aws.script("status.py", "--queue-url", pair.url, "--json")
    figures = json.loads(done.stdout)
    assert (figures["visible"], figures["in_flight"], figures["delayed"], figures["dead"]) == (5, 2, 1, 0)
    assert figures["change_per_second"] is None


def test_status_watches(aws: Aws, pair: Pair) -> None:
    fill(aws, pair.url, *[str(number) for number in range(20)])
    command = [sys.executable, "scripts/status.py", "--queue-url", pair.url, "--json", "--watch=1", "--looks=3"]
    with subprocess.Popen(
        command, cwd=ROOT, env=aws.instance.environment(), stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout
        first = json.loads(watching.stdout.readline())
        assert first["visible"] == 20
        bodies(aws, pair.url)
        *_, last = [json.loads(line) for line in watching.stdout]
    assert watching.returncode == 0
    assert last["visible"] == 0
    assert last["seconds_to_drain"] == 0


def figures(at: float, visible: int) -> Figures:
    return Figures(at, visible, 0, 0, 0, None, None, None)


def test_draining() -> None:
    assert change_per_second(figures(0, 100), figures(10, 50)) == -5
    assert seconds_to_drain(figures(0, 100), figures(10, 50)) == 10
    assert seconds_to_drain(figures(0, 50), figures(10, 50)) is None
    assert seconds_to_drain(figures(0, 50), figures(10, 60)) is None
    assert seconds_to_drain(figures(0, 50), figures(10, 0)) == 0


@pytest.mark.parametrize("script", ["status.py", "redrive.py"])
def test_a_queue_without_a_dead_letter_queue(aws: Aws, queue: str, script: str) -> None:
    done = aws.script(script, "--queue-url", queue, check=False)
    assert done.returncode == 1
    assert "has no dead-letter queue" in done.stderr


def test_looking_changes_nothing(aws: Aws, pair: Pair) -> None:
    texts = sorted(f"{number:02}" for number in range(35))
    fill(aws, pair.dead, *texts)
    shown = aws.script("redrive.py", "--queue-url", pair.url)
    assert len(shown.stdout.splitlines()) == 20
    assert "20 shown of about 35" in shown.stderr
    assert sorted(bodies(aws, pair.dead)) == texts


def test_the_picked_ones_move_with_all_that_they_have(aws: Aws, pair: Pair) -> None:
    sqs = aws.client("sqs")
    attributes = {
        "Author": {"DataType": "String", "StringValue": "Änne"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        "n": {"DataType": "Number", "StringValue": "5"},
    }
    fill(aws, pair.dead, *[str(number) for number in range(15)])
    sent = sqs.send_message(QueueUrl=pair.dead, MessageBody="ü🚀", MessageAttributes=attributes)["MessageId"]
    absent = "00000000-0000-0000-0000-000000000000"
    command = ["redrive.py", "--queue-url", pair.url, "--move", "--yes"]
    done = aws.script(*command, "--id", sent, "--id", absent, check=False)
    assert done.returncode == 1
    assert done.stdout.endswith("1 moved\n")
    assert f"there is no message {absent}" in done.stderr
    (moved,) = sqs.receive_message(QueueUrl=pair.url, MessageAttributeNames=["All"])["Messages"]
    assert moved["Body"] == "ü🚀"
    assert moved["MessageAttributes"] == attributes
    assert len(bodies(aws, pair.dead)) == 15


def test_nothing_moves_unasked(aws: Aws, pair: Pair) -> None:
    fill(aws, pair.dead, "a")
    command = ["redrive.py", "--queue-url", pair.url, "--move"]
    unattended = aws.script(*command, check=False)
    assert unattended.returncode == 2
    assert "say --yes" in unattended.stderr
    for answer, moved in (("n\n", False), ("\n", False), ("y\n", True)):
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "scripts/redrive.py", *command[1:]],
            cwd=ROOT,
            env=aws.instance.environment(),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.write(controller, answer.encode())
        _, said = process.communicate(timeout=60)
        assert "Move all messages to" in said
        assert process.returncode == (0 if moved else 1)
        os.close(controller)
        os.close(terminal)
        assert bool(bodies_left(aws, pair.dead)) is not moved


def bodies_left(aws: Aws, url: str) -> int:
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def test_an_empty_one(aws: Aws, pair: Pair) -> None:
    done = aws.script("redrive.py", "--queue-url", pair.url, "--move")
    assert "there is nothing to move" in done.stderr


def test_killed_at_any_moment_it_loses_nothing(aws: Aws, pair: Pair, tmp_path: Path) -> None:
    """Twenty times, under a thousand messages: each is there afterwards, and those that are there twice are counted."""
    chance = random.Random(time.time_ns())  # noqa: S311 (when it is killed)
    texts = [f"{number:04}" for number in range(1000)]
    fill(aws, pair.dead, *texts)
    command = [sys.executable, "scripts/redrive.py", "--queue-url", pair.url, "--move", "--yes", "--first=1"]
    kills = 0
    with faulty_path(aws.instance, tmp_path) as path:
        path.plan = lambda action, _: Fault(stall=0.02)
        while kills < 20:
            before = path.accepted["SendMessageBatch"]
            process = subprocess.Popen(
                command, cwd=ROOT, env={**aws.instance.environment(), **path.variables()}, stderr=subprocess.DEVNULL
            )
            while path.accepted["SendMessageBatch"] == before and process.poll() is None:
                time.sleep(0.005)
            assert process.poll() is None, "there was too little to do"
            time.sleep(chance.uniform(0, 0.15))
            process.kill()
            process.wait()
            kills += 1
        path.plan = lambda action, _: None
        subprocess.run(
            command, cwd=ROOT, env={**aws.instance.environment(), **path.variables()}, check=True, capture_output=True
        )
        sent = path.accepted["SendMessageBatch"]
    times = Counter(bodies(aws, pair.url))
    assert bodies(aws, pair.dead) == []
    assert set(times) == set(texts)
    twice = sum(times.values()) - 1000
    print(f"{kills} kills, {twice} messages are there twice")
    assert twice == sent - 1000
    assert twice <= kills * 10, "at most the batch that was under way"


def test_in_a_fifo_queue_a_second_attempt_makes_no_second_message(aws: Aws, tmp_path: Path) -> None:
    pair = make_pair(aws, ".fifo", FifoQueue="true")
    sqs = aws.client("sqs")
    for number in range(12):
        sqs.send_message(
            QueueUrl=pair.dead, MessageBody=f"{number:02}", MessageGroupId="g", MessageDeduplicationId=str(number)
        )
    with faulty_path(aws.instance, tmp_path) as path:
        path.plan = lambda action, _: Fault(lose_answer=action == "SendMessageBatch" and path.count(action) == 1)
        done = aws.script("redrive.py", "--queue-url", pair.url, "--move", "--yes", env=path.variables())
    assert done.stdout.endswith("12 moved\n")
    assert bodies(aws, pair.url) == [f"{number:02}" for number in range(12)]


def test_where_sqs_moves_them_itself_it_does(aws: Aws, pair: Pair, path: FaultyPath) -> None:
    """The local AWS has no message move tasks: the path answers as SQS documents them."""
    fill(aws, pair.dead, "a")
    results = iter([("RUNNING", 40), ("RUNNING", 80), ("COMPLETED", 100)])

    def answer(action: str) -> dict[str, Any]:
        if action == "StartMessageMoveTask":
            return {"TaskHandle": "handle"}
        status, moved = next(results)
        task = {"Status": status, "ApproximateNumberOfMessagesMoved": moved, "ApproximateNumberOfMessagesToMove": 100}
        return {"Results": [task]}

    path.plan = lambda action, _: Fault(reply=answer(action)) if "MoveTask" in action else None
    done = aws.script("redrive.py", "--queue-url", pair.url, "--move", "--yes", env=path.variables())
    assert done.stdout.endswith("100 moved\n")
    assert "80 of 100 moved" in done.stderr
    assert path.count("SendMessageBatch") == 0
    started = next(content for action, content in path.seen if action == "StartMessageMoveTask")
    assert started["SourceArn"].endswith("-dlq")


def test_a_move_task_that_fails(aws: Aws, pair: Pair, path: FaultyPath) -> None:
    fill(aws, pair.dead, "a")
    task = {"Status": "FAILED", "ApproximateNumberOfMessagesMoved": 3, "FailureReason": "AccessDenied"}
    replies: dict[str, dict[str, Any]] = {
        "StartMessageMoveTask": {"TaskHandle": "handle"},
        "ListMessageMoveTasks": {"Results": [task]},
    }
    path.plan = lambda action, _: Fault(reply=replies[action]) if action in replies else None
    done = aws.script("redrive.py", "--queue-url", pair.url, "--move", "--yes", env=path.variables(), check=False)
    assert done.returncode == 1
    assert "is FAILED after 3 messages: AccessDenied" in done.stderr


def test_a_terminal_cannot_be_driven(aws: Aws, pair: Pair) -> None:
    fill(aws, pair.dead, "a\nb" + "x" * 100)
    shown = aws.script("redrive.py", "--queue-url", pair.url).stdout
    assert shown.count("\n") == 1
    assert "a\\nb" in shown
    assert "…" in shown

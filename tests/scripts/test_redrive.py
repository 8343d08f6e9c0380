"""redrive.py: showing the messages of the dead-letter queue, and moving them."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import ssl
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.faults import Fault, FaultyPath, faulty_path
from tests.queues import bodies, fill, redrive_policy


@dataclass(frozen=True)
class Pair:
    """The URLs of a queue and its dead-letter queue."""

    url: str
    dead: str

    @property
    def move(self) -> list[str]:
        """redrive.py and its arguments."""
        return ["redrive.py", "--queue-url", self.url, "--move", "--yes"]


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


@pytest.fixture
def fifo_pair(aws: Aws) -> Pair:
    return make_pair(aws, ".fifo", FifoQueue="true")


def arn(aws: Aws, url: str) -> str:
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def count(aws: Aws, url: str) -> int:
    """How many messages are visible."""
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def process(aws: Aws, pair: Pair, handler: str, ledger: Path) -> None:
    env = {"PYTHONPATH": str(ROOT / "tests/sqs"), "LEDGER": str(ledger)}
    aws.script("process.py", "--queue-url", pair.url, "--handler", f"handling:{handler}", "--empty-after=4", env=env)


def test_a_failing_message_is_redriven_and_processed_once(aws: Aws, pair: Pair, tmp_path: Path) -> None:
    fill(aws, pair.url, "good", "poison")
    env = {"PYTHONPATH": str(ROOT / "tests/sqs"), "LEDGER": str(tmp_path / "ledger")}
    options = ["--queue-url", pair.url, "--handler", "handling:poison", "--empty-after=4"]
    aws.script("process.py", *options, env=env, check=False)  # 1: a message failed
    status = aws.script("status.py", "--queue-url", pair.url, check=False)
    assert status.returncode == 1
    assert status.stdout.splitlines()[1].split()[-1] == "1"
    shown = json.loads(aws.script("redrive.py", "--queue-url", pair.url, "--json").stdout)
    assert shown["body"] == "poison"
    assert shown["receive_count"] == 4, "three attempts, and this look"
    again = aws.script("redrive.py", "--queue-url", pair.url)
    assert re.search(r"received +5 times  poison$", again.stdout, re.MULTILINE)
    assert "1 shown of about 1 in" in again.stderr
    assert aws.script(*pair.move).stdout.endswith("1 moved\n")
    process(aws, pair, "note", tmp_path / "mended")
    assert [line.split()[-1] for line in (tmp_path / "mended").read_text().splitlines()] == ["poison"]
    healthy = aws.script("status.py", "--queue-url", pair.url)
    assert healthy.stdout.splitlines()[1].split()[-1] == "0"


def test_a_queue_without_a_dead_letter_queue(aws: Aws, queue: str) -> None:
    done = aws.script("redrive.py", "--queue-url", queue, check=False)
    assert done.returncode == 1
    assert "has no dead-letter queue" in done.stderr


def test_without_move_nothing_changes(aws: Aws, pair: Pair) -> None:
    texts = sorted(f"{number:02}" for number in range(35))
    fill(aws, pair.dead, *texts)
    shown = aws.script("redrive.py", "--queue-url", pair.url)
    assert len(shown.stdout.splitlines()) == 20
    assert "20 shown of about 35" in shown.stderr
    assert sorted(bodies(aws, pair.dead)) == texts


@pytest.mark.parametrize("option", ["--yes", "--id=5fea7756-0ea4-451a-a703-a558b933e274"])
def test_options_that_need_move(aws: Aws, pair: Pair, option: str) -> None:
    done = aws.script("redrive.py", "--queue-url", pair.url, option, check=False)
    assert done.returncode == 2
    assert f"{option.partition('=')[0]} needs --move" in done.stderr


def test_selected_messages_move_with_all_attributes(aws: Aws, pair: Pair) -> None:
    sqs = aws.client("sqs")
    attributes = {
        "Author": {"DataType": "String", "StringValue": "Änne"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        "n": {"DataType": "Number", "StringValue": "5"},
    }
    fill(aws, pair.dead, *[str(number) for number in range(15)])
    sent = sqs.send_message(QueueUrl=pair.dead, MessageBody="ü🚀", MessageAttributes=attributes)["MessageId"]
    absent = "00000000-0000-0000-0000-000000000000"
    done = aws.script(*pair.move, "--id", sent, "--id", absent, check=False)
    assert done.returncode == 1
    assert done.stdout.endswith("1 moved\n")
    assert f"message {absent} was not found in the dead-letter queue" in done.stderr
    (moved,) = sqs.receive_message(QueueUrl=pair.url, MessageAttributeNames=["All"])["Messages"]
    assert moved["Body"] == "ü🚀"
    assert moved["MessageAttributes"] == attributes
    assert len(bodies(aws, pair.dead)) == 15


def test_nothing_moves_without_confirmation(aws: Aws, pair: Pair) -> None:
    fill(aws, pair.dead, "a")
    command = pair.move[:-1]
    unattended = aws.script(*command, check=False)
    assert unattended.returncode == 2
    assert "add --yes" in unattended.stderr
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
        _, printed = process.communicate(timeout=60)
        assert "Move all messages to" in printed
        assert process.returncode == (0 if moved else 1)
        os.close(controller)
        os.close(terminal)
        assert bool(count(aws, pair.dead)) is not moved


def test_an_empty_dead_letter_queue(aws: Aws, pair: Pair) -> None:
    done = aws.script("redrive.py", "--queue-url", pair.url, "--move")
    assert "there is nothing to move: the dead-letter queue is empty" in done.stderr


def test_all_messages_move_to_the_confirmed_queue(aws: Aws, pair: Pair) -> None:
    """Those sent to the dead-letter queue directly have no source queue: without a destination, the task fails."""
    fill(aws, pair.dead, *[str(number) for number in range(25)])
    done = aws.script(*pair.move)
    assert done.stdout.endswith("25 moved\n")
    assert sorted(bodies(aws, pair.url), key=int) == [str(number) for number in range(25)]


def test_messages_that_another_consumer_has_received_are_reported(aws: Aws, pair: Pair) -> None:
    fill(aws, pair.dead, "a", "b", "c")
    aws.client("sqs").receive_message(QueueUrl=pair.dead, VisibilityTimeout=60)
    done = aws.script(*pair.move, check=False)
    assert done.returncode == 1
    assert done.stdout.endswith("2 moved\n")
    assert "1 of about 3 were not moved: about 0 are in the dead-letter queue, and 1 more are hidden" in done.stderr


def test_messages_of_another_queue_are_announced(aws: Aws, pair: Pair) -> None:
    """Two queues share a dead-letter queue."""
    sqs = aws.client("sqs")
    policy = redrive_policy(aws, pair.dead, 1)
    attributes = {"RedrivePolicy": policy, "VisibilityTimeout": "0"}
    other = sqs.create_queue(QueueName=f"t-{time.time_ns()}-other", Attributes=attributes)["QueueUrl"]
    fill(aws, other, "theirs")
    for _ in range(2):
        sqs.receive_message(QueueUrl=other)
    done = aws.script(*pair.move)
    assert f"warning: there are messages from {arn(aws, other)}" in done.stderr
    assert bodies(aws, pair.url) == ["theirs"]
    sqs.delete_queue(QueueUrl=other)


def test_a_fifo_redrive_within_the_deduplication_interval(aws: Aws, fifo_pair: Pair) -> None:
    """The messages failed within five minutes: SQS still remembers their deduplication ids in the queue."""
    sqs = aws.client("sqs")
    sqs.set_queue_attributes(QueueUrl=fifo_pair.url, Attributes={"VisibilityTimeout": "0"})
    for body in ("a", "b"):
        sqs.send_message(
            QueueUrl=fifo_pair.url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=f"id-{body}"
        )
    while count(aws, fifo_pair.dead) < 2:
        sqs.receive_message(QueueUrl=fifo_pair.url)
    assert aws.script(*fifo_pair.move).stdout.endswith("2 moved\n")
    sqs.set_queue_attributes(QueueUrl=fifo_pair.url, Attributes={"VisibilityTimeout": "30"})
    assert bodies(aws, fifo_pair.url) == ["a", "b"]


def test_a_second_attempt_makes_no_second_message_in_a_fifo_queue(aws: Aws, fifo_pair: Pair, path: FaultyPath) -> None:
    sqs = aws.client("sqs")
    for number in range(12):
        sqs.send_message(
            QueueUrl=fifo_pair.dead, MessageBody=f"{number:02}", MessageGroupId="g", MessageDeduplicationId=str(number)
        )
    path.plan = lambda action, _: Fault(lose_answer=action == "SendMessageBatch" and path.count(action) == 1)
    done = aws.script(*fifo_pair.move, env=path.variables())
    assert done.stdout.endswith("12 moved\n")
    assert bodies(aws, fifo_pair.url) == [f"{number:02}" for number in range(12)]


def test_the_progress_of_a_task_is_reported(aws: Aws, pair: Pair, path: FaultyPath) -> None:
    """The local AWS is too fast for it: the path answers as SQS documents."""
    fill(aws, pair.dead, "a")
    results = iter([None, ("RUNNING", 80), ("COMPLETED", 100)])

    def answer(action: str) -> dict[str, Any]:
        if action == "StartMessageMoveTask":
            return {"TaskHandle": "handle"}
        result = next(results)
        if result is None:
            return {"Results": []}
        numbers = {"ApproximateNumberOfMessagesMoved": result[1], "ApproximateNumberOfMessagesToMove": 100}
        return {"Results": [{"Status": result[0], **numbers}]}

    path.plan = lambda action, _: Fault(reply=answer(action)) if "MoveTask" in action else None
    done = aws.script(*pair.move, env=path.variables())
    assert done.stdout.endswith("100 moved\n")
    assert "80 of 100 moved" in done.stderr


def test_a_task_that_fails(aws: Aws, pair: Pair, path: FaultyPath) -> None:
    fill(aws, pair.dead, "a")
    task = {"Status": "FAILED", "ApproximateNumberOfMessagesMoved": 3, "FailureReason": "AccessDenied"}
    replies: dict[str, dict[str, Any]] = {
        "StartMessageMoveTask": {"TaskHandle": "handle"},
        "ListMessageMoveTasks": {"Results": [task]},
    }
    path.plan = lambda action, _: Fault(reply=replies[action]) if action in replies else None
    done = aws.script(*pair.move, env=path.variables(), check=False)
    assert done.returncode == 1
    assert "is FAILED after 3 messages: AccessDenied" in done.stderr


def test_a_kill_loses_no_message(aws: Aws, pair: Pair, tmp_path: Path) -> None:
    """Ten kills while 400 selected messages move: none is lost, and at most one batch per kill is in both queues."""
    chance = random.Random(time.time_ns())  # noqa: S311 (when it is killed)
    sqs = aws.client("sqs")
    texts = [f"{number:04}" for number in range(400)]
    ids = [sqs.send_message(QueueUrl=pair.dead, MessageBody=text)["MessageId"] for text in texts]
    command = [sys.executable, "scripts/redrive.py", *pair.move[1:], "--first=1", *[f"--id={each}" for each in ids]]
    kills = 10
    with faulty_path(aws.instance, tmp_path) as path:
        path.plan = lambda action, _: Fault(stall=0.02)
        for _ in range(kills):
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
    moved, left = Counter(all_bodies(aws, pair.url)), Counter(all_bodies(aws, pair.dead))
    assert set(moved) | set(left) == set(texts)
    assert max(moved.values()) == 1, "a message that was sent and not deleted is hidden for a minute"
    assert len(set(moved) & set(left)) <= kills * 10, "at most the batch under way at each kill"
    assert set(moved) - set(left), "some were moved"


def all_bodies(aws: Aws, url: str) -> list[str]:
    """Those of hidden messages too."""
    trust = ssl.create_default_context(cafile=aws.instance.variables["AWS_CA_BUNDLE"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    with opener.open(f"{aws.instance.variables['AWS_ENDPOINT_URL']}/_ministack/sqs/messages?QueueUrl={url}") as answer:
        content = answer.read().decode()
    return re.findall(r'"[Bb]ody": "(\d{4})"', content)


def test_what_a_message_contains_cannot_drive_the_terminal(aws: Aws, pair: Pair) -> None:
    forged = "Ada)\n00000000-0000-0000-0000-000000000000  forged"
    author = {"Author": {"DataType": "String", "StringValue": forged}}
    body = "a\nb\x85\u202e\u200b" + "x" * 100
    aws.client("sqs").send_message(QueueUrl=pair.dead, MessageBody=body, MessageAttributes=author)
    shown = aws.script("redrive.py", "--queue-url", pair.url).stdout
    assert shown.count("\n") == 1
    assert shown.removesuffix("\n").isprintable()
    assert "a\\nb\\x85\\u202e\\u200b" in shown
    assert "(author: Ada)\\n0000" in shown
    assert "…" in shown

"""redrive.py --move: where the messages go, and what is reported when something prevents it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hello_queue.errors import HelloQueueError
from hello_queue.operations.move_task import move_by_task
from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.faults import Fault, FaultyPath, faulty_path
from tests.queues import bodies, fill, redrive_policy
from tests.scripts.pairs import Pair, all_bodies, count


def arn(aws: Aws, url: str) -> str:
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


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


def test_an_interrupt_cancels_the_task(aws: Aws, pair: Pair, path: FaultyPath) -> None:
    fill(aws, pair.dead, "a")
    replies: dict[str, dict[str, Any]] = {
        "StartMessageMoveTask": {"TaskHandle": "handle"},
        "ListMessageMoveTasks": {"Results": [{"Status": "RUNNING"}]},
        "CancelMessageMoveTask": {"ApproximateNumberOfMessagesMoved": 0},
    }
    path.plan = lambda action, _: Fault(reply=replies[action]) if action in replies else None
    environment = {**aws.instance.environment(), **path.variables()}
    command = [sys.executable, "scripts/redrive.py", *pair.move[1:]]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as moving:
        assert moving.stderr
        while "0 of 0 moved" not in moving.stderr.readline():
            assert moving.poll() is None
        moving.send_signal(signal.SIGINT)
        assert "interrupted" in moving.stderr.read()
    assert moving.returncode == 130
    assert ("CancelMessageMoveTask", {"TaskHandle": "handle"}) in path.seen


def test_a_task_that_is_running_is_followed(aws: Aws, pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """Such as that of a command that was killed: SQS runs one task at a time."""
    sqs = aws.client("sqs")
    fill(aws, pair.dead, *"abc")
    source, target = arn(aws, pair.dead), arn(aws, pair.url)
    sqs.start_message_move_task(SourceArn=source, DestinationArn=target, MaxNumberOfMessagesPerSecond=2)
    with pytest.raises(HelloQueueError, match=f"already running, which moves the messages to {target}. Run"):
        move_by_task(sqs, source, source, progress=print, report=print)
    assert move_by_task(sqs, source, target, progress=print, report=print) == 3
    assert "a message move task is already running: following it. Ctrl-C cancels it" in capsys.readouterr().out
    assert sorted(bodies(aws, pair.url)) == ["a", "b", "c"]


def test_a_task_that_cannot_be_followed(aws: Aws, pair: Pair, path: FaultyPath) -> None:
    """It goes on without us."""
    fill(aws, pair.dead, "a")
    denied = Fault(status=403, code="AccessDenied")
    path.plan = lambda action, _: denied if action == "ListMessageMoveTasks" else None
    done = aws.script(*pair.move, env=path.variables(), check=False)
    assert done.returncode == 1
    assert "The message move task may still be running: run the same command again to follow it" in done.stderr


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.soak)])
def test_a_kill_loses_no_message(aws: Aws, pair: Pair, tmp_path: Path, kills: int) -> None:
    """While selected messages move: none is lost, and at most one batch per kill is in both queues."""
    chance = random.Random(time.time_ns())  # noqa: S311 (when it is killed)
    sqs = aws.client("sqs")
    texts = [f"{number:04}" for number in range(40 * kills)]
    ids = [sqs.send_message(QueueUrl=pair.dead, MessageBody=text)["MessageId"] for text in texts]
    command = [sys.executable, "scripts/redrive.py", *pair.move[1:], *[f"--id={each}" for each in ids]]
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

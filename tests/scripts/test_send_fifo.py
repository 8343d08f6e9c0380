"""send.py with a FIFO queue."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Aws
from tests.faults import Fault, FaultyPath
from tests.queues import bodies
from tests.scripts.sending import start_send


@pytest.fixture
def fifo_queue(aws: Aws) -> Iterator[str]:
    """The URL of an empty FIFO queue without content-based deduplication."""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=f"t-{time.time_ns()}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def test_groups_keep_their_order(aws: Aws, fifo_queue: str) -> None:
    """Groups keep their order under concurrency."""
    lines = "".join(
        json.dumps({"body": f"{group}{index:03}", "group": group}) + "\n" for index in range(60) for group in "abc"
    )
    process = start_send(aws, "--file", "-", "--json-lines", "--queue-url", fifo_queue, stdin=subprocess.PIPE)
    said, _ = process.communicate(lines)
    assert said == "180 sent, 0 failed\n"
    found = bodies(aws, fifo_queue)
    for group in "abc":
        assert [body for body in found if body[0] == group] == [f"{group}{index:03}" for index in range(60)]
    aws.script("send.py", "--queue-url", fifo_queue)
    assert bodies(aws, fifo_queue) == ["Hello World"]


def test_a_lost_response_duplicates_no_message(aws: Aws, fifo_queue: str, path: FaultyPath) -> None:
    path.plan = lambda action, _: Fault(lose_answer=action == "SendMessageBatch" and path.count(action) <= 2)
    done = aws.script("send.py", "--count", "20", "--queue-url", fifo_queue, "--concurrency", "1", env=path.variables())
    assert "may be in the queue twice" not in done.stderr
    assert len(bodies(aws, fifo_queue)) == 20


@pytest.mark.parametrize(
    "arguments", [["--delay", "5"], ["--delay", "0", "--count", "2"], ["--delay", "900", "--file=-"]]
)
def test_a_delay_is_refused_before_sending(aws: Aws, fifo_queue: str, arguments: list[str]) -> None:
    """SQS rejects DelaySeconds there, whatever its value."""
    done = aws.script("send.py", "--queue-url", fifo_queue, *arguments, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"--delay {arguments[1]}: messages in a FIFO queue have the queue's delay" in done.stderr


def test_a_delay_in_a_line_is_a_failure_of_that_line(aws: Aws, fifo_queue: str, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text('{"body": "a"}\n{"body": "b", "delay": 0}\n')
    done = aws.script("send.py", "--queue-url", fifo_queue, "--json-lines", "--file", str(file), check=False)
    assert (done.returncode, done.stdout) == (1, "1 sent, 1 failed\n")
    assert done.stderr == "line 2: the delay 0: messages in a FIFO queue have the queue's delay, not their own\n"
    assert bodies(aws, fifo_queue) == ["a"]

"""process.py without a handler: what it prints to a pipe and to a terminal, and its exit status."""

from __future__ import annotations

import pytest

from tests.cli.test_terminal import shown_on_a_terminal
from tests.conftest import Aws
from tests.faults import Fault, FaultyPath
from tests.queues import bodies


def test_count_is_the_maximum(aws: Aws, queue: str) -> None:
    sqs = aws.client("sqs")
    for number in range(12):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    assert len(aws.script("process.py", "--queue-url", queue, "--count", "11").stdout.splitlines()) == 11
    assert len(bodies(aws, queue)) == 1


def test_a_message_that_cannot_be_printed_stays_in_the_queue(aws: Aws, queue: str) -> None:
    """stdout is closed: what was not printed is not deleted."""
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="precious")
    done = aws.run("sh", "-c", f"python scripts/process.py --queue-url {queue} --count 1 >&-", check=False)
    assert done.returncode != 0
    assert bodies(aws, queue) == ["precious"]


def test_a_full_disk_is_one_line(aws: Aws, queue: str) -> None:
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="precious")
    done = aws.run("sh", "-c", f"python scripts/process.py --queue-url {queue} --count 1 > /dev/full", check=False)
    assert done.returncode == 1
    errors = "0 processed, 1 returned to the queue\nprocess.py: the output cannot be written: No space left on device\n"
    assert done.stderr == errors
    assert bodies(aws, queue) == ["precious"]


def test_a_closed_pipe_is_no_traceback(aws: Aws, queue: str) -> None:
    sqs = aws.client("sqs")
    for _ in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody="x" * 100_000)
    command = f"python scripts/process.py --queue-url {queue} --count 3 | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = aws.run("bash", "-c", command, check=False)
    assert done.stdout == "x141\n"
    assert "Traceback" not in done.stderr
    assert "returned to the queue" in done.stderr
    assert bodies(aws, queue)


def test_a_body_that_the_terminals_encoding_lacks_is_escaped(aws: Aws, queue: str) -> None:
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="漢")
    done = aws.script("process.py", "--queue-url", queue, "--count", "1", env={"PYTHONIOENCODING": "ascii"})
    assert done.stdout == "\\u6f22\n"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_message_cannot_drive_a_terminal_or_forge_a_line(aws: Aws, queue: str, encoding: str) -> None:
    """On a terminal, every message is one line without control or format characters, whatever its body and author."""
    aws.client("sqs").send_message(
        QueueUrl=queue,
        MessageBody="one\n2 processed\u2028\u202e\u200b\x9b31m\x7f\t",
        MessageAttributes={"Author": {"DataType": "String", "StringValue": "Ada\r\n3 processed\u2066"}},
    )
    environment = {**aws.instance.environment(), "PYTHONIOENCODING": encoding}
    shown, status = shown_on_a_terminal("process.py", "--queue-url", queue, "--count=1", env=environment)
    assert status == 0
    assert shown.splitlines() == [
        r"one\n2 processed\u2028\u202e\u200b\x9b31m\x7f\t (author: Ada\r\n3 processed\u2066)",
        "1 processed",
    ]


def test_a_pipe_gets_messages_unchanged(aws: Aws, queue: str) -> None:
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="one\ntwo\t\u202e")
    assert aws.script("process.py", "--queue-url", queue, "--count=1").stdout == "one\ntwo\t\u202e\n"


def test_an_empty_queue_is_a_success(aws: Aws, queue: str) -> None:
    done = aws.script("process.py", "--queue-url", queue, "--empty-after=0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "0 processed\n")


def test_a_message_that_is_not_deleted_is_a_failure(aws: Aws, path: FaultyPath, queue: str) -> None:
    """SQS refuses to delete it, or its visibility timeout has expired."""
    failed = [{"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "never"}]
    path.plan = lambda action, _: Fault(reply={"Failed": failed}) if action == "DeleteMessageBatch" else None
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="a")
    done = aws.script("process.py", "--queue-url", queue, "--count=1", check=False, env={**path.variables()})
    assert done.returncode == 1
    assert done.stdout == "a\n"
    assert done.stderr.endswith("0 processed, 1 handled but not deleted\n")

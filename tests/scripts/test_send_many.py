"""send.py with many messages: files and pipes, and failures."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Aws
from tests.faults import THROTTLED, Fault, FaultyPath
from tests.queues import bodies
from tests.scripts.sending import lines_file, start_send


def test_a_count(aws: Aws, queue: str) -> None:
    done = aws.script("send.py", "again", "--count", "25", "--queue-url", queue)
    assert done.stdout == "25 sent, 0 failed\n"
    assert done.stderr == ""
    assert bodies(aws, queue) == ["again"] * 25


@pytest.mark.parametrize(
    ("options", "unneeded"),
    [
        ([], ["asyncio", "hello_queue.sqs.blocking"]),
        (["--count=1"], ["hello_queue.sqs.consumer", "hello_queue.sqs.leases", "rich"]),
    ],
)
def test_the_first_message_does_not_wait_for_other_imports(
    aws: Aws, queue: str, options: list[str], unneeded: list[str]
) -> None:
    done = aws.run(sys.executable, "-X", "importtime", "scripts/send.py", "--queue-url", queue, *options)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "boto3" in imported
    assert not imported & set(unneeded)


@pytest.mark.parametrize("options", [[], ["--concurrency", "1"]])
def test_each_line_of_a_file(aws: Aws, queue: str, tmp_path: Path, options: list[str]) -> None:
    texts = [f"line {number} ü🚀" for number in range(1234)]
    done = aws.script("send.py", "--file", str(lines_file(tmp_path, *texts)), "--queue-url", queue, "--json", *options)
    summary = json.loads(done.stdout)
    assert (summary["sent"], summary["failed"], summary["position"]) == (1234, 0, 1234)
    assert sorted(bodies(aws, queue)) == sorted(texts)


def test_failed_lines_are_reported_and_kept_to_be_sent_again(aws: Aws, queue: str, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(
        b'{"body": "good"}\n{"bady": "x"}\n\n{"body": "\\u0001"}\n{"body": "fine", "author": "Ada"}\n\xff\n'
    )
    failed = tmp_path / "failed"
    options = ["--json-lines", "--queue-url", queue]
    done = aws.script("send.py", "--file", str(file), "--failed", str(failed), *options, check=False)
    assert done.returncode == 1
    assert done.stdout == "2 sent, 4 failed\n"
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["line 2", "line 3", "line 4", "line 6"]
    assert failed.read_bytes() == b'{"bady": "x"}\n\n{"body": "\\u0001"}\n\xff\n'
    failed.write_bytes(failed.read_bytes().replace(b"bady", b"body").replace(b"\\u0001", b"mended"))
    again = aws.script("send.py", "--file", str(failed), *options, check=False)
    assert again.stdout == "2 sent, 2 failed\n"
    assert sorted(bodies(aws, queue)) == ["fine", "good", "mended", "x"]


def test_without_failures_there_is_no_failed_file_and_an_old_one_is_kept(aws: Aws, queue: str, tmp_path: Path) -> None:
    file, failed = lines_file(tmp_path, "a"), tmp_path / "failed"
    command = ["send.py", "--file", str(file), "--failed", str(failed), "--queue-url", queue]
    aws.script(*command)
    assert not failed.exists()
    failed.write_text("precious")
    done = aws.script(*command, check=False)
    assert done.returncode == 2
    assert "exists" in done.stderr
    assert failed.read_text() == "precious"


def test_many_failures_are_counted_but_not_all_reported(aws: Aws, queue: str, tmp_path: Path) -> None:
    done = aws.script("send.py", "--file", str(lines_file(tmp_path, *[""] * 500)), "--queue-url", queue, check=False)
    assert done.stdout == "0 sent, 500 failed\n"
    assert len(done.stderr.splitlines()) == 21


def test_a_line_is_sent_while_the_pipe_stays_open(aws: Aws, queue: str) -> None:
    process = start_send(aws, "--file", "-", "--queue-url", queue, stdin=subprocess.PIPE)
    assert process.stdin
    process.stdin.write("now\n")
    process.stdin.flush()
    received = aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    assert received["Messages"][0]["Body"] == "now"
    process.stdin.close()
    assert process.wait(20) == 0


def test_denied_in_the_middle(aws: Aws, queue: str, path: FaultyPath, tmp_path: Path) -> None:
    file = lines_file(tmp_path, *[str(number) for number in range(100)])

    def plan(action: str, content: dict[str, Any]) -> Fault | None:
        denied = action == "SendMessageBatch" and content["Entries"][0]["MessageBody"] >= "50"
        return Fault(status=403, code="AccessDenied") if denied else None

    path.plan = plan
    arguments = ["--file", str(file), "--queue-url", queue, "--concurrency", "1"]
    done = aws.script("send.py", *arguments, check=False, env=path.variables())
    assert done.returncode == 1
    assert "--skip 50" in done.stderr
    assert "AccessDenied" in done.stderr.splitlines()[-1]


def test_throttling_is_reported_once(aws: Aws, queue: str, path: FaultyPath) -> None:
    path.plan = lambda action, _: THROTTLED if path.count("SendMessageBatch") < 4 else None
    done = aws.script("send.py", "--count", "100", "--queue-url", queue, env=path.variables())
    assert done.stdout == "100 sent, 0 failed\n"
    assert done.stderr.count("Trying again") == 1
    assert len(bodies(aws, queue)) == 100


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_copies_with_other_content_are_reported(aws: Aws, queue: str, path: FaultyPath, options: list[str]) -> None:
    """The digests of two messages in the first response are others, as if SQS had stored other bodies."""

    def corrupt(answer: dict[str, Any]) -> dict[str, Any]:
        first, second, *rest = answer["Successful"]
        wrong = {"MD5OfMessageBody": "0" * 32}
        return {"Successful": [{**first, **wrong}, {**second, **wrong}, *rest]}

    path.plan = lambda action, _: Fault(edit=corrupt) if path.count("SendMessageBatch") == 1 else None
    arguments = ["--count", "10", "--concurrency", "1", "--queue-url", queue, *options]
    done = aws.script("send.py", *arguments, env=path.variables())
    if options:
        summary = json.loads(done.stdout)
        assert (summary["sent"], summary["corrupted"], summary["maybe_twice"]) == (10, 2, 0)
    else:
        assert done.stdout == "10 sent, 0 failed\n"
        assert "2 copies are in the queue with other content than was sent" in done.stderr
    assert len(bodies(aws, queue)) == 12


def test_nothing_to_send(aws: Aws, queue: str, tmp_path: Path) -> None:
    done = aws.script("send.py", "--file", str(lines_file(tmp_path)), "--queue-url", queue)
    assert done.stdout == "0 sent, 0 failed\n"
    beyond = aws.script("send.py", "--file", str(lines_file(tmp_path, "a")), "--skip", "5", "--queue-url", queue)
    assert beyond.stdout == "0 sent, 0 failed\n"


def test_a_terminal_gets_a_bar(aws: Aws, queue: str, path: FaultyPath) -> None:
    path.plan = lambda action, _: Fault(stall=0.05) if action == "SendMessageBatch" else None
    controller, terminal = pty.openpty()
    process = start_send(aws, "--count", "400", "--queue-url", queue, "--concurrency", "1", path=path, stderr=terminal)
    os.close(terminal)
    shown = ""
    while select.select([controller], [], [], 20)[0]:
        try:
            shown += os.read(controller, 4096).decode()
        except OSError:  # the other end is closed
            break
    assert process.wait() == 0
    assert re.search(r"[1-9]\d* sent, \d+/s", shown)
    assert "100 %" in shown


def test_a_byte_order_mark_is_not_sent(aws: Aws, queue: str, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("first\nsecond\n", encoding="utf-8-sig")
    aws.script("send.py", "--file", str(file), "--queue-url", queue, "--concurrency", "1")
    assert bodies(aws, queue) == ["first", "second"]


def test_blank_lines_fail_or_are_left_out(aws: Aws, queue: str, tmp_path: Path) -> None:
    command = ["send.py", "--file", str(lines_file(tmp_path, "a", "", "b", "")), "--queue-url", queue]
    failed = aws.script(*command, check=False)
    assert (failed.returncode, failed.stdout) == (1, "2 sent, 2 failed\n")
    assert sorted(failed.stderr.splitlines()) == ["line 2: blank line", "line 4: blank line"]
    done = aws.script(*command, "--skip-blank")
    assert (done.stdout, done.stderr) == ("2 sent, 0 failed, 2 blank lines left out\n", "")
    summary = json.loads(aws.script(*command, "--skip-blank", "--json").stdout)
    assert (summary["sent"], summary["failed"], summary["blank"], summary["position"]) == (2, 0, 2, 4)
    assert sorted(bodies(aws, queue)) == ["a"] * 3 + ["b"] * 3

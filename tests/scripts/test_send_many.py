"""send.py with many messages: files and pipes, failures, interruptions, and several processes."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.faults import THROTTLED, Fault, FaultyPath
from tests.queues import bodies


def start(aws: Aws, *arguments: str, path: FaultyPath | None = None, **options: Any) -> subprocess.Popen[str]:
    variables = {**aws.instance.environment(), **(path.variables() if path else {})}
    command = [sys.executable, "scripts/send.py", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=variables, **{**pipes, **options})


def lines_file(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "lines"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_a_count(aws: Aws, queue: str) -> None:
    done = aws.script("send.py", "again", "--count", "25", "--queue-url", queue)
    assert done.stdout == "25 sent, 0 failed\n"
    assert done.stderr == ""
    assert bodies(aws, queue) == ["again"] * 25


@pytest.mark.parametrize("options", [[], ["--processes", "3"], ["--concurrency", "1"]])
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
    process = start(aws, "--file", "-", "--queue-url", queue, stdin=subprocess.PIPE)
    assert process.stdin
    process.stdin.write("now\n")
    process.stdin.flush()
    received = aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    assert received["Messages"][0]["Body"] == "now"
    process.stdin.close()
    assert process.wait(20) == 0


def test_an_interruption_prints_exactly_where_to_continue(
    aws: Aws, queue: str, path: FaultyPath, tmp_path: Path
) -> None:
    """Slow responses, so that it comes in the middle. Then the rest is sent: each line once."""
    texts = [str(number) for number in range(600)]
    file = lines_file(tmp_path, *texts)
    path.plan = lambda action, _: Fault(stall=0.2) if action == "SendMessageBatch" else None
    process = start(aws, "--file", str(file), "--queue-url", queue, "--concurrency", "2", path=path)
    while path.count("SendMessageBatch") < 8:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    position = int(re.search(r"--skip (\d+)", said)[1])  # type: ignore[index]
    assert 0 < position < 600
    assert "twice" not in said
    aws.script("send.py", "--file", str(file), "--queue-url", queue, "--skip", str(position))
    assert sorted(bodies(aws, queue), key=int) == texts


def test_a_second_interruption_ends_at_once_and_reports_what_would_be_sent_twice(
    aws: Aws, queue: str, path: FaultyPath, tmp_path: Path
) -> None:
    """One batch is stuck, those after it are sent."""
    file = lines_file(tmp_path, *[str(number) for number in range(600)])

    def plan(action: str, content: dict[str, Any]) -> Fault | None:
        stuck = action == "SendMessageBatch" and content["Entries"][0]["MessageBody"] == "40"
        return Fault(stall=25) if stuck else Fault(stall=0.05)

    path.plan = plan
    process = start(aws, "--file", str(file), "--queue-url", queue, "--stats", "0", path=path)
    deadline = time.monotonic() + 20
    while path.count("SendMessageBatch") < 60 and time.monotonic() < deadline:
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.stderr
    while "stopping" not in (process.stderr.readline()):
        pass
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait(5) == 130
    assert time.monotonic() - began < 5
    assert "--skip 40 " in said
    assert re.search(r"\(\d+ of the lines after that were already sent", said)


def test_after_a_kill_the_last_line_of_progress_shows_where_to_continue(
    aws: Aws, queue: str, path: FaultyPath, tmp_path: Path
) -> None:
    """SIGKILL: nothing is lost, and only lines sent after the last report are sent twice."""
    texts = [str(number) for number in range(500)]
    file = lines_file(tmp_path, *texts)
    path.plan = lambda action, _: Fault(stall=0.2) if action == "SendMessageBatch" else None
    process = start(aws, "--file", str(file), "--queue-url", queue, "--concurrency", "2", "--stats", "1", path=path)
    assert process.stderr
    position = int(re.search(r"--skip (\d+)", process.stderr.readline())[1])  # type: ignore[index]
    process.kill()
    process.wait()
    assert 0 < position < 500
    aws.script("send.py", "--file", str(file), "--queue-url", queue, "--skip", str(position))
    times = Counter(bodies(aws, queue))
    assert sorted(times, key=int) == texts
    assert all(times[text] == 1 for text in texts[:position])


def test_a_killed_worker_process_is_reported_and_nothing_is_lost(
    aws: Aws, queue: str, path: FaultyPath, tmp_path: Path
) -> None:
    texts = [str(number) for number in range(3000)]
    file = lines_file(tmp_path, *texts)
    path.plan = lambda action, _: Fault(stall=0.05) if action == "SendMessageBatch" else None
    options = ["--processes", "2", "--concurrency", "2"]
    process = start(aws, "--file", str(file), "--queue-url", queue, *options, path=path)
    child = None
    while child is None:
        listed = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "spawn_main"], capture_output=True, text=True)
        child = int(listed.stdout.split()[0]) if listed.stdout else None
    before = path.count("SendMessageBatch")
    while path.count("SendMessageBatch") < before + 60:
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "one of the processes ended" in said
    position = re.search(r"--skip (\d+)", said)[1]  # type: ignore[index]
    aws.script("send.py", "--file", str(file), "--queue-url", queue, "--skip", position)
    assert set(bodies(aws, queue)) == set(texts)


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


def test_nothing_to_send(aws: Aws, queue: str, tmp_path: Path) -> None:
    done = aws.script("send.py", "--file", str(lines_file(tmp_path)), "--queue-url", queue)
    assert done.stdout == "0 sent, 0 failed\n"
    beyond = aws.script("send.py", "--file", str(lines_file(tmp_path, "a")), "--skip", "5", "--queue-url", queue)
    assert beyond.stdout == "0 sent, 0 failed\n"


def test_a_terminal_gets_a_bar(aws: Aws, queue: str, path: FaultyPath) -> None:
    path.plan = lambda action, _: Fault(stall=0.05) if action == "SendMessageBatch" else None
    controller, terminal = pty.openpty()
    process = start(aws, "--count", "400", "--queue-url", queue, "--concurrency", "1", path=path, stderr=terminal)
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

"""send.py when it is interrupted or killed, or its disk is full: nothing is lost, and it prints where to continue."""

from __future__ import annotations

import json
import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Aws
from tests.faults import Fault, FaultyPath
from tests.queues import bodies
from tests.scripts.sending import lines_file, start_send


def test_an_interruption_prints_exactly_where_to_continue(
    aws: Aws, queue: str, path: FaultyPath, tmp_path: Path
) -> None:
    """Slow responses, so that it comes in the middle. Then the rest is sent: each line once."""
    texts = [str(number) for number in range(600)]
    file = lines_file(tmp_path, *texts)
    path.plan = lambda action, _: Fault(stall=0.2) if action == "SendMessageBatch" else None
    process = start_send(aws, "--file", str(file), "--queue-url", queue, "--concurrency", "2", path=path)
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
    process = start_send(aws, "--file", str(file), "--queue-url", queue, "--stats", "1", path=path)
    assert process.stderr
    deadline = time.monotonic() + 20
    while not process.stderr.readline().startswith("590 sent"):  # all but the stuck batch
        assert time.monotonic() < deadline
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    while "stopping" not in (process.stderr.readline()):
        pass
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait(5) == 130
    assert time.monotonic() - began < 5
    assert "--skip 40 (550 of the lines after that were already sent and will be sent again)" in said


def test_after_a_kill_the_last_line_of_progress_shows_where_to_continue(
    aws: Aws, queue: str, path: FaultyPath, tmp_path: Path
) -> None:
    """SIGKILL: nothing is lost, and only lines sent after the last report are sent twice."""
    texts = [str(number) for number in range(500)]
    file = lines_file(tmp_path, *texts)
    path.plan = lambda action, _: Fault(stall=0.2) if action == "SendMessageBatch" else None
    process = start_send(
        aws, "--file", str(file), "--queue-url", queue, "--concurrency", "2", "--stats", "1", path=path
    )
    assert process.stderr
    position = int(re.search(r"--skip (\d+)", process.stderr.readline())[1])  # type: ignore[index]
    process.kill()
    process.wait()
    assert 0 < position < 500
    aws.script("send.py", "--file", str(file), "--queue-url", queue, "--skip", str(position))
    times = Counter(bodies(aws, queue))
    assert sorted(times, key=int) == texts
    assert all(times[text] == 1 for text in texts[:position])


def test_an_interruption_leaves_nothing_to_send_twice(aws: Aws, queue: str, path: FaultyPath, tmp_path: Path) -> None:
    """Many batches are in progress, and the first ones are the slowest."""
    texts = [str(number) for number in range(6000)]
    file = lines_file(tmp_path, *texts)

    def plan(action: str, content: dict[str, Any]) -> Fault | None:
        if action != "SendMessageBatch":
            return None
        return Fault(stall=1 if int(content["Entries"][0]["MessageBody"]) % 100 == 0 else 0.05)

    path.plan = plan
    process = start_send(aws, "--file", str(file), "--queue-url", queue, "--json", path=path)

    def largest_batch_start() -> int:
        return max(
            (int(content["Entries"][0]["MessageBody"]) for _, content in path.seen if "Entries" in content), default=0
        )

    deadline = time.monotonic() + 60
    while largest_batch_start() < 1000 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    summary = json.loads(stdout)
    assert 0 < summary["position"] < 6000
    assert (summary["sent"], summary["sent_beyond"]) == (summary["position"], 0)
    assert sorted(bodies(aws, queue), key=int) == texts[: summary["position"]]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_full_disk_for_the_failed_lines(aws: Aws, queue: str, tmp_path: Path, options: list[str]) -> None:
    """What is in the file is complete, what is not is after --skip: together, each line."""
    invalid = [f"{number}\x01{'x' * 100}" for number in range(400)]
    lines = [line for number in range(400) for line in (f"good {number}", invalid[number])]
    file, failed = lines_file(tmp_path, *lines), tmp_path / "failed"
    command = ["--file", str(file), "--queue-url", queue]
    process = start_send(
        aws,
        *command,
        *("--failed", str(failed), *options),
        file_limit=5000,
    )
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in stderr
    last = stderr.splitlines()[-1]
    assert last.startswith(f"send.py: --failed '{failed}' cannot be written: File too large. Continue with --skip")
    if "--json" in options:
        summary = json.loads(stdout)
        position, sent, failures = summary["position"], summary["sent"], summary["failed"]
    else:
        found = re.search(r"(\d+) sent, (\d+) failed. Continue with --skip (\d+)", stderr.splitlines()[-2])
        assert found
        sent, failures, position = (int(each) for each in found.groups())
    kept = failed.read_text().removesuffix("\n").split("\n")
    assert len(kept) == failures > 0
    assert set(kept) <= set(invalid)
    assert set(invalid[: position // 2]) <= set(kept)
    assert len(bodies(aws, queue)) == sent
    rest = tmp_path / "rest"
    aws.script("send.py", *command, "--skip", str(position), "--failed", str(rest), check=False)
    assert set(kept) | set(rest.read_text().removesuffix("\n").split("\n")) == set(invalid)

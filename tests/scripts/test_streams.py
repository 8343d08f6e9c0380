"""Streams that are closed or full: one clear line, and nothing that was done is hidden."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.scripts.offline import shell
from tests.scripts.sending import unmeasured


def test_closed_output() -> None:
    """Nothing is sent or deleted that nobody would see. `run` sees to that, in which every script ends."""
    no_stdout = shell("python scripts/process.py >&-")
    line = "process.py: stdout is closed: redirect it to /dev/null to discard the output\n"
    assert (no_stdout.returncode, no_stdout.stderr) == (1, line)
    no_stderr = shell("python scripts/process.py 2>&-")
    assert (no_stderr.returncode, no_stderr.stdout) == (1, "")


def test_help_to_a_full_disk() -> None:
    done = shell("python scripts/send.py --help > /dev/full")
    assert (done.returncode, done.stderr) == (1, "send.py: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize(
    ("redirection", "reason"),
    [
        ("<&-", "--file -: stdin is closed. Redirect it, or name a file"),
        ("0>/dev/null", "--file '-' cannot be read: Bad file descriptor"),
    ],
)
def test_unreadable_input(redirection: str, reason: str) -> None:
    done = shell(f"python scripts/send.py --queue-url https://127.0.0.1:9/1/q --file - {redirection}")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"send.py: {reason}\n")


@pytest.mark.parametrize(
    "command",
    [
        "send.py --queue-url {queue}",
        "send.py --queue-url {queue} --count 3",
        "status.py --json",
        "smoke_test.py",
        "credentials.py export",
    ],
)
def test_output_to_a_full_disk(aws: Aws, queue: str, command: str) -> None:
    done = aws.run("sh", "-c", f"python scripts/{command.format(queue=queue)} > /dev/full", check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(".py: the output cannot be written: No space left on device")
    assert "Traceback" not in done.stderr


def test_what_was_sent_is_reported_although_stdout_is_full(aws: Aws, queue: str) -> None:
    done = aws.run("sh", "-c", f"python scripts/send.py --queue-url {queue} --count 3 > /dev/full", check=False)
    assert done.stderr.splitlines()[0] == "3 sent, 0 failed"


def no_room(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_key_file_on_a_full_disk(aws: Aws, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/credentials.py", "csv", str(tmp_path / "key.csv")],
        cwd=ROOT,
        env=unmeasured(aws.instance.environment()),
        capture_output=True,
        text=True,
        preexec_fn=no_room(10),
        check=False,
    )
    assert done.returncode == 1
    assert "key.csv' cannot be written: File too large" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []

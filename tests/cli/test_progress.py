"""Progress on a terminal: rate, counts and failures by reason, beside the output and never in it."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hello_queue.cli.progress import Failures, bar, counted, report
from hello_queue.project import ROOT
from tests.cli.test_terminal import shown_on_a_terminal
from tests.conftest import Aws
from tests.queues import fill


def test_failures_are_counted_by_reason() -> None:
    failures = Failures()
    assert failures.text() == ""
    for number in range(3):
        failures.report(f"message 1-{number} failed at receive 1: ValueError: {number}")
    failures.report("message 9 failed at receive 2: KeyError")
    failures.report("throttled")
    assert failures.text() == ": ValueError 3, KeyError 1"


def test_reasons_are_bounded_and_escaped() -> None:
    failures = Failures()
    for number in range(100):
        failures.count(f"\x1b[31m reason {number} {'x' * 100}")
    text = failures.text()
    assert text.startswith(": other reasons 80, ")
    assert r"\x1b[31m" in text
    assert "\x1b" not in text
    assert len(text) < 200


def test_a_narrow_bar_keeps_the_time_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with bar(100, lambda: 50, lambda: "300 failed: " + "ValueError 30, " * 10):
        pass
    line = capsys.readouterr().err.rstrip()
    assert re.fullmatch(r". 300 failed: ValueError.+… \S  50 %, left -:--:--", line), line
    assert len(line) == 80


def test_a_line_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads report, and a line must not end inside that of another one."""
    written: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    monkeypatch.setattr(sys, "stderr", Stream())
    report("throttled")
    assert written == ["throttled\n"]


def process(aws: Aws, url: str) -> list[str]:
    return ["--queue-url", url, "--handler", "tests.cli.progress_handler:handle", "--empty-after", "1"]


@pytest.fixture
def messages(aws: Aws, queue: str) -> str:
    fill(aws, queue, "good 1", "good 2", "bad 1", "bad 2", "worse")
    return queue


def test_process_shows_its_progress(aws: Aws, messages: str) -> None:
    shown, status = shown_on_a_terminal("process.py", *process(aws, messages), env=aws.instance.environment())
    assert status == 1
    assert re.search(r"2 processed, 3 failed: ValueError 2, KeyError 1, \d+/s", shown), shown
    assert "handled good 1" in shown


def test_the_bar_is_not_in_the_output(aws: Aws, messages: str) -> None:
    """stderr is a terminal, stdout a file: what the handler prints must arrive there."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "scripts/process.py", *process(aws, messages)]
    with subprocess.Popen(
        command, cwd=ROOT, env=aws.instance.environment(), stdout=subprocess.PIPE, stderr=terminal, text=True
    ) as running:
        os.close(terminal)
        assert running.stdout
        lines = running.stdout.read().splitlines()
    os.close(controller)
    assert sorted(lines) == ["handled bad 1", "handled bad 2", "handled good 1", "handled good 2", "handled worse"]


def test_send_shows_failures_by_reason(aws: Aws, queue: str, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("one\n\n\ntwo\n")
    arguments = ["--queue-url", queue, "--file", str(lines)]
    shown, status = shown_on_a_terminal("send.py", *arguments, env=aws.instance.environment())
    assert status == 1
    assert re.search(r"2 sent, 2 failed: blank line 2, \d+/s", shown), shown


def test_one_is_singular() -> None:
    assert [counted(number, "time") for number in (0, 1, 2, 1_000)] == ["0 times", "1 time", "2 times", "1,000 times"]

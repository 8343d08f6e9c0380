"""The screens are as kept in tests/screens, fit their width, and do no harm to a terminal."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from hello_queue.cli.screen import screen
from hello_queue.cli.status_screen import SPARKS, group_lines, sparkline
from hello_queue.cli.terminal import printable
from hello_queue.operations.group_sample import GroupSample
from hello_queue.project import ROOT
from tests.screens import EVIL, FOLDER, SCREENS, rendered

COPIED = "fix "
"""Commands are not wrapped, so that they can be copied."""


def test_the_screens_are_up_to_date() -> None:
    fresh = rendered()
    assert set(FOLDER.glob("*.txt")) == set(fresh)
    for path, text in fresh.items():
        assert path.read_text() == text, f"{path.name} is stale: run `make docs`"


def test_they_fit_and_foreign_text_is_escaped() -> None:
    for path, text in rendered().items():
        width = int(path.name.split(".")[1])
        for line in text.splitlines():
            assert printable(line) == line, path
            assert len(line) <= width or COPIED in line or "cdk deploy" in line, (path, line)
    assert r"a\x1b[31m\nforged\u202e [bold red]b[/]" in rendered()[FOLDER / "smoke_test_failed.120.txt"]


def test_a_sample_of_more_messages_than_sqs_counted() -> None:
    """Its count lags behind."""
    assert (
        group_lines(GroupSample("test", 11, 200)).plain == "test  by message group, in a sample of 200 visible messages"
    )


@pytest.mark.parametrize("name", SCREENS)
def test_no_color(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    shown = {}
    for no_color in ("", "1"):
        monkeypatch.setenv("NO_COLOR", no_color)
        SCREENS[name](screen(file := Terminal(), width=80))
        shown[no_color] = file.getvalue()
    assert "\x1b[" in shown[""]
    assert all(code not in shown["1"] for code in ("\x1b[3", "\x1b[1;3"))


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([None], " "),
        ([0, 0], "▁▁"),
        ([0, 7, None, 3.5], "▁█ ▅"),
        ([1] * (SPARKS + 5), "█" * SPARKS),
        ([100, *[1] * SPARKS], "█" * SPARKS),
    ],
)
def test_sparklines(values: list[float | None], bars: str) -> None:
    assert sparkline(values) == bars
    assert len(sparkline(values, ascii_only=True)) == len(bars)
    assert sparkline(values, ascii_only=True).isascii()


@pytest.mark.parametrize("script", ["send.py", "process.py"])
def test_scripts_start_without_rich_and_argcomplete(script: str) -> None:
    """They take longer to import than a message takes to send."""
    command = [sys.executable, "-X", "importtime", f"scripts/{script}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "hello_queue.cli.progress" in imported
    assert not {"rich", "argcomplete"} & {each.partition(".")[0] for each in imported}


def test_the_screen_of_a_pipe_is_plain_and_does_not_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    SCREENS["smoke_test_failed"](screen(file := io.StringIO()))
    assert "\x1b[" not in file.getvalue()
    assert f"      found     ReadOnlyAccess, {printable(EVIL)}, test-queue-user\n" in file.getvalue()


def test_marks_of_a_terminal_without_unicode() -> None:
    class Ascii(io.StringIO):
        encoding = "ascii"

    SCREENS["smoke_test_failed"](screen(file := Ascii(), width=80))
    assert "  ok user\n" in file.getvalue()
    assert "  !! policies of Administrator\n" in file.getvalue()
    assert "!! allowed" in file.getvalue()

"""--help of every script: one paragraph, examples, grouped options with ranges and defaults, at 80 columns. And what
Tab offers in a shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hello_queue.project import ROOT
from tests.scripts.in_process import load

SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))
COMMANDS = [[script] for script in SCRIPTS] + [
    ["credentials.py", command] for command in ("profile", "csv", "export", "process")
]


@pytest.fixture
def help_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Help:
    return Help(monkeypatch, capsys)


class Help:
    """In this process: a script takes long to start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, script: str, *command: str) -> str:
        self._monkeypatch.setenv("COLUMNS", "80")
        self._monkeypatch.setattr(sys, "argv", [f"scripts/{script}", *command, "--help"])
        with pytest.raises(SystemExit) as ended:
            load(script).main()
        assert ended.value.code == 0
        return self._capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_it_fits_a_terminal(help_of: Help, command: list[str]) -> None:
    assert [line for line in help_of(*command).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_examples_come_first(help_of: Help, script: str) -> None:
    usage, paragraph, examples, *rest = help_of(script).split("\n\n")
    assert usage.startswith(f"usage: {script} [-h]")
    assert len(paragraph.splitlines()) <= 3
    assert paragraph.endswith(".")
    assert examples.startswith("examples:\n  ")
    assert rest[0].startswith(("options:", "positional arguments:", "optional arguments:"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_number_has_a_range_and_time_a_unit(help_of: Help, command: list[str]) -> None:
    options = re.split(r"\n  (?=-)", help_of(*command).partition("show this help")[2])
    for option in options[1:]:
        text = " ".join(option.partition("\n\n")[0].split())
        if re.match(r"--[a-z-]+ (N|SECONDS)\b", text):
            assert re.search(r"\([\d,]+ to [\d,]+( s)?(; default: [\d,]+( s)?)?\)$", text), text
            assert (" s)" in text) == (" SECONDS " in text), text


@pytest.mark.parametrize(
    ("script", "statuses"),
    [("process.py", ["0", "1", "2", "130", "141"])],
)
def test_the_help_documents_every_exit_status(help_of: Help, script: str, statuses: list[str]) -> None:
    found = re.findall(r"^  (\d+)  ", help_of(script).partition("exit status:")[2], re.MULTILINE)
    assert found == statuses


def test_the_help_tells_when_no_test_message_is_sent(help_of: Help) -> None:
    text = " ".join(help_of("smoke_test.py").split())
    assert "sent only if the queue has no messages, visible, in flight or delayed" in text
    assert "If the queue has messages, the delivery check is skipped" in text


def test_a_shell_completes_options(tmp_path: Path) -> None:
    """As argcomplete's global completion asks for it."""
    line = "python scripts/redrive.py --m"
    asked = {
        "_ARGCOMPLETE": "2",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "offered"),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    subprocess.run(
        [sys.executable, "scripts/redrive.py"], cwd=ROOT, env={**os.environ, **asked}, capture_output=True, check=True
    )
    assert (tmp_path / "offered").read_text().split() == ["--move", "--match"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_shell_finds_that_a_script_completes(script: str) -> None:
    assert b"PYTHON_ARGCOMPLETE_OK" in (ROOT / "scripts" / script).read_bytes()[:1024]

"""How a script ends: its exit status, and the line that it prints."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, NoRegionError, UnknownServiceError

from hello_queue.cli.main import run
from hello_queue.errors import HelloQueueError, UsageError
from hello_queue.project import ROOT


def raising(error: BaseException) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (UsageError("--x 'a\nb' is invalid\u202e"), 2, "x.py: --x 'a\\nb' is invalid\\u202e\n"),
        (HelloQueueError("failed"), 1, "x.py: failed\n"),
        (HelloQueueError("failed:\nlog\nx.py: forged\x1b[1m"), 1, "x.py: failed:\n  log\n  x.py: forged\\x1b[1m\n"),
        (NoRegionError(), 1, "x.py: You must specify a region. Set AWS_DEFAULT_REGION, or `region` in the profile\n"),
        (
            ClientError({"Error": {"Code": "Odd", "Message": "a\n\x1bb."}}, "SendMessage"),
            1,
            "x.py: SendMessage: a \\x1bb (Odd)\n",
        ),
        (
            FileNotFoundError(2, "No such file", "/no/such"),
            1,
            "x.py: AWS_WEB_IDENTITY_TOKEN_FILE='/no/such' cannot be read: No such file. Correct or unset it\n",
        ),
        (KeyboardInterrupt(), 130, "x.py: interrupted\n"),
        (SystemExit(2), 2, ""),
    ],
)
def test_an_expected_failure_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    printed: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["scripts/x.py"])
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such")
    with pytest.raises(SystemExit) as ended:
        run(raising(error))
    assert (ended.value.code, *capsys.readouterr()) == (status, "", printed)


def test_a_line_does_not_follow_the_sign_of_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal shows ^C."""
    monkeypatch.setattr(sys, "argv", ["scripts/x.py"])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(SystemExit):
        run(raising(KeyboardInterrupt()))
    assert capsys.readouterr().err == "\nx.py: interrupted\n"


@pytest.mark.parametrize(
    "bug",
    [ValueError("a bug"), FileNotFoundError(2, "a bug"), UnknownServiceError(service_name="x", known_service_names="")],
)
def test_a_bug_keeps_its_traceback(bug: Exception) -> None:
    with pytest.raises(type(bug)):
        run(raising(bug))


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.py")), ids=lambda path: path.name)
def test_every_script_ends_in_run(script: Path) -> None:
    """So what is tested of one script's end holds for all."""
    tree = ast.parse(script.read_text())
    imported = {
        alias.name
        for each in tree.body
        if isinstance(each, ast.ImportFrom) and each.module == "hello_queue.cli.main"
        for alias in each.names
    }
    assert "run" in imported
    assert ast.unparse(tree.body[-1]) == "if __name__ == '__main__':\n    run(main)"


@pytest.mark.parametrize(("columns", "kept"), [("40", "40"), ("0", None), ("-1", None), ("²", None), ("9" * 9, None)])
def test_a_width_that_is_none_is_ignored(monkeypatch: pytest.MonkeyPatch, columns: str, kept: str | None) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit):
        run(lambda: 0)
    assert os.environ.get("COLUMNS") == kept

"""Log records: one line each, whatever they say, and what ends a thread or a process."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from hello_queue.cli.logs import SHAPES, as_json, as_text, line


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError


def record(message: str, *arguments: object, error: BaseException | None = None, **extra: object) -> logging.LogRecord:
    raised: Any = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("orders", logging.WARNING, "file.py", 7, message, arguments, raised)
    made.__dict__.update(extra)
    return made


FOREIGN = "one\n2026-11-25T08:00:00.000Z ERROR forged\x1b[31m\u202e\x7f\ud800"


def test_text_cannot_drive_a_terminal_or_forge_a_record() -> None:
    shown = as_text(record("%s", FOREIGN, error=ValueError(FOREIGN)))
    first, *rest = shown.split("\n")
    assert first.endswith(r": one\n2026-11-25T08:00:00.000Z ERROR forged\x1b[31m\u202e\x7f\ud800")
    assert rest == ["  ValueError: one", r"  2026-11-25T08:00:00.000Z ERROR forged\x1b[31m\u202e\x7f\ud800"]


def test_json_is_one_line_of_ascii() -> None:
    shown = as_json(record("%s", FOREIGN, error=ValueError(FOREIGN)))
    assert shown.isascii()
    assert shown.isprintable()
    found = json.loads(shown)
    assert found["message"] == FOREIGN
    assert found["exception"].endswith(FOREIGN)
    assert found["level"] == "WARNING"


@pytest.mark.parametrize("value", [float("nan"), {("a", "b"): 1}, object, {1}, b"\xff", Unspeakable()])
def test_fields_that_json_lacks_are_text(value: object) -> None:
    found = json.loads(as_json(record("a", field=value)), parse_constant=pytest.fail)
    assert isinstance(found["field"], str)


def test_fields_do_not_replace_what_every_record_has() -> None:
    found = json.loads(as_json(record("a", timestamp="then", level="low", items=[1])))
    assert (found["level"], found["items"]) == ("WARNING", [1])
    assert found["timestamp"].endswith("Z")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("arguments", [("too", "many"), (Unspeakable(),)])
def test_a_record_that_cannot_be_formatted(shape: str, arguments: tuple[object, ...]) -> None:
    assert "cannot be shown: " in SHAPES[shape](record("%s", *arguments))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_line_of_a_signal_handler(shape: str) -> None:
    assert "stopping" in line(shape, "stopping")
    assert "\n" not in line(shape, "stopping")


BUGS = """
import logging, threading, warnings
from hello_queue.cli import logs

logs.start("json")
logs.start("json")
logging.basicConfig(level=logging.DEBUG)  # as a handler's module may
logging.getLogger("botocore").info("not shown")
warnings.warn("careful")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
threading.Thread(target=exit).start()
{}["key"]
"""


def test_bugs_and_warnings_are_records_too() -> None:
    done = subprocess.run([sys.executable, "-c", BUGS], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    records = [json.loads(each) for each in done.stderr.splitlines()]
    assert [(each["level"], each["logger"]) for each in records] == [
        ("WARNING", "py.warnings"),
        ("ERROR", "hello_queue"),
        ("CRITICAL", "hello_queue"),
    ]
    assert [each.get("exception_name") for each in records] == [None, "ZeroDivisionError", "KeyError"]
    assert records[2]["exception"].startswith("Traceback ")

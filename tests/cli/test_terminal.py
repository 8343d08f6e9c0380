"""Foreign text cannot control the terminal, hide text, or forge a line of a script."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping

import pytest

from hello_queue.cli.terminal import printable
from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.queues import redrive_policy


@pytest.mark.parametrize(
    ("character", "escaped"),
    [
        ("\x1b", r"\x1b"),
        ("\x00", r"\x00"),
        ("\x07", r"\x07"),
        ("\x7f", r"\x7f"),
        ("\x9b", r"\x9b"),
        ("\n", r"\n"),
        ("\r", r"\r"),
        ("\t", r"\t"),
        ("\x85", r"\x85"),
        ("\xad", r"\xad"),
        ("\u061c", r"\u061c"),
        ("\u200b", r"\u200b"),
        ("\u200d", r"\u200d"),
        ("\u200e", r"\u200e"),
        ("\u2028", r"\u2028"),
        ("\u2029", r"\u2029"),
        ("\u202a", r"\u202a"),
        ("\u202e", r"\u202e"),
        ("\u2060", r"\u2060"),
        ("\u2066", r"\u2066"),
        ("\u2069", r"\u2069"),
        ("\ufeff", r"\ufeff"),
        ("\ufff9", r"\ufff9"),
        ("\ue000", r"\ue000"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("\U0010ffff", r"\U0010ffff"),
    ],
)
def test_dangerous_characters_are_escaped(character: str, escaped: str) -> None:
    assert printable(f"a{character}b") == f"a{escaped}b"


@pytest.mark.parametrize("text", ["", "plain", "ünï 漢字 🚀", "a\u00a0b\u3000c", "שלום", r"\x1b"])
def test_other_text_is_unchanged(text: str) -> None:
    assert printable(text) == text


def shown_on_a_terminal(script: str, *arguments: str, env: Mapping[str, str], columns: int = 0) -> tuple[str, int]:
    """What a script shows on a terminal, stdout and stderr, and its exit status."""
    controller, terminal = pty.openpty()
    if columns:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, f"scripts/{script}", *arguments],
        cwd=ROOT,
        env=env,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            shown += os.read(controller, 4096)
        except OSError:  # the process has ended
            break
    os.close(controller)
    return shown.decode(), process.wait()


EVIL = "a\x1b[31m\nforged\u202e"
ESCAPED = r"a\x1b[31m\nforged\u202e"


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("send.py", ["--file", EVIL, "--queue-url", "https://127.0.0.1:9/1/q"]),
        ("process.py", [EVIL]),
    ],
)
def test_arguments_in_error_messages_are_escaped(script: str, arguments: list[str]) -> None:
    """tests/scripts/test_bad_input.py has the other scripts."""
    environment = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    shown, status = shown_on_a_terminal(script, *arguments, env=environment)
    assert status == 2
    assert ESCAPED in shown
    assert shown.count("\r\n") == 1
    assert printable(shown.removesuffix("\r\n")) == shown.removesuffix("\r\n")


def test_messages_are_escaped(aws: Aws, queue: str) -> None:
    """What SQS accepts and a terminal must not get, in bodies and authors."""
    sqs = aws.client("sqs")
    message = {
        "MessageBody": "body\nforged\x7f\x9b31m\u202e\u2028",
        "MessageAttributes": {"Author": {"DataType": "String", "StringValue": "Ada\nforged\x9b"}},
    }
    source = sqs.create_queue(
        QueueName=f"{queue.rpartition('/')[2]}-source", Attributes={"RedrivePolicy": redrive_policy(aws, queue, 3)}
    )["QueueUrl"]
    environment = aws.instance.environment()
    sqs.send_message(QueueUrl=queue, **message)
    redriven, status = shown_on_a_terminal("redrive.py", "--queue-url", source, env=environment)
    assert status == 0
    processed, status = shown_on_a_terminal("process.py", "--queue-url", queue, "--count", "1", env=environment)
    assert status == 0
    assert max(map(len, redriven.split("\r\n"))) <= 80
    for shown in (redriven, processed):
        assert r"body\nforged\x7f\x9b31m\u202e\u2028" in shown
        assert r"(author: Ada\nforged\x9b)" in shown
        assert "\r\nforged" not in shown
        assert all(printable(line) == line for line in shown.split("\r\n"))
    sqs.delete_queue(QueueUrl=source)

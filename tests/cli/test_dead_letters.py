"""How redrive.py shows messages: a line each for a program, and nothing beyond the edge of a terminal."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from hello_queue.cli.dead_letters import print_letters
from hello_queue.operations.dead_letters import DeadLetter
from hello_queue.sqs.failures import Failure
from hello_queue.sqs.handlers import from_receive

ID = "cb1d2f0e-5a3c-4c7e-9d43-0f7c5a1e2b6d"
ERROR = f"KeyError: {'price of item ' * 12}(/srv/orders.py:12)"
FAILURE = Failure("2026-11-25T08:01:02+00:00", ERROR, "orders:book")
AUTHOR = "the service that takes the orders of all shops, and has a long name that does not fit"


def letter(body: str, author: str = "") -> DeadLetter:
    received: dict[str, Any] = {"MessageId": ID, "ReceiptHandle": "", "Body": body}
    received["Attributes"] = {"ApproximateReceiveCount": "6", "MessageGroupId": "customer-7"}
    if author:
        received["MessageAttributes"] = {"Author": {"DataType": "String", "StringValue": author}}
    return DeadLetter(from_receive(received), received, 0)


LETTERS = [letter("an order that nobody understood" * 3, AUTHOR), letter("x")]


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_lines_fit_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    print_letters(LETTERS, {ID: FAILURE}, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith(ID)]
    assert len(heads) == 2
    assert ("  x (" in lines[heads[1]]) == (columns > 120), "below, where a whole line has no room for most bodies"
    assert all(line.startswith("    ") for number, line in enumerate(lines) if number not in heads)
    assert max(len(line) for number, line in enumerate(lines) if number not in heads or columns >= 80) <= columns
    text = " ".join(line.strip() for line in lines)
    assert f"(author: {AUTHOR}, group: customer-7)" in text
    assert f"{FAILURE.error}, in orders:book, {FAILURE.time}" in text


def test_a_pipe_gets_a_line_for_each_message(capsys: pytest.CaptureFixture[str]) -> None:
    print_letters(LETTERS, {}, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [ID, "", ID, ""]
    assert lines[2].endswith("received   6 times  x (group: customer-7)")

"""Which messages --id, --match and --where pick."""

from __future__ import annotations

import re

import pytest

from hello_queue.operations.selection import Selection
from hello_queue.sqs.handlers import Message


def picks(body: str, **selection: object) -> bool:
    return Selection(**selection).picks(Message("1", body))  # type: ignore[arg-type]


def test_nothing_selected_picks_all() -> None:
    assert picks("anything")
    assert not Selection()


def test_all_that_is_given_must_be_true() -> None:
    selection = Selection(["1"], re.compile("new"), {"n": "5"})
    assert selection.picks(Message("1", '{"n": 5, "s": "new"}'))
    assert not selection.picks(Message("2", '{"n": 5, "s": "new"}'))
    assert not selection.picks(Message("1", '{"n": 5, "s": "old"}'))
    assert not selection.picks(Message("1", '{"n": 6, "s": "new"}'))


def test_a_pattern_is_found_anywhere_in_the_body() -> None:
    assert picks("a timeout\nhappened", pattern=re.compile("^a .*out$", re.MULTILINE))
    assert not picks("Timeout", pattern=re.compile("timeout"))


@pytest.mark.parametrize(
    ("body", "field", "value", "picked"),
    [
        ('{"a": "x"}', "a", "x", True),
        ('{"a": "x"}', "a", '"x"', False),
        ('{"a": ""}', "a", "", True),
        ('{"a": 7}', "a", "7", True),
        ('{"a": "7"}', "a", "7", True),
        ('{"a": 7.0}', "a", "7", True),
        ('{"a": 7}', "a", "7x", False),
        ('{"a": true}', "a", "true", True),
        ('{"a": true}', "a", "1", False),
        ('{"a": 1}', "a", "true", False),
        ('{"a": null}', "a", "null", True),
        ('{"b": 1}', "a", "null", False),
        ('{"a": [1, 2]}', "a", "[1,2]", True),
        ('{"a": {"b": {"c": "x"}}}', "a.b.c", "x", True),
        ('{"a": {"b": 1}}', "a.c", "1", False),
        ('{"a": "x"}', "a.b", "x", False),
        ('{"a.b": "x"}', "a.b", "x", True),
        ("[1]", "a", "1", False),
        ("not JSON", "a", "1", False),
        ("[" * 100_000, "a", "1", False),
        ('{"a": 1}', "a", "[" * 100_000, False),
    ],
)
def test_fields_of_a_json_body(body: str, field: str, value: str, picked: bool) -> None:
    assert picks(body, fields={field: value}) is picked

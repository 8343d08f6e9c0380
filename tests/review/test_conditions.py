"""Conditions and patterns: what they match, and which texts tell them apart."""

from __future__ import annotations

import itertools

import pytest

from hello_queue.review.rights.budget import TooComplexError
from hello_queue.review.rights.conditions import Condition, values_of
from hello_queue.review.rights.patterns import Pattern, texts


def test_patterns_are_divided_exactly() -> None:
    one, other = Pattern("a*"), Pattern("*b")
    assert set(texts([[one], [other]])) == {0, 1, 2, 3}
    assert set(texts([[Pattern("a?")], [Pattern("a*")]])) == {0, 2, 3}
    assert set(texts([[one], [other]], within=0)) == {1, 3}
    assert texts([[other]])[0]  # a text, and not the empty one
    for bits, text in texts([[one], [other], [Pattern("?b?")], [Pattern("ab", ignore_case=True)]]).items():
        matched = [each.matches(text) for each in (one, other, Pattern("?b?"), Pattern("ab", ignore_case=True))]
        assert bits == sum(1 << index for index, is_ in enumerate(matched) if is_)
    arn = Pattern("arn:aws:sns:*:*:t", segments=True)
    assert arn.matches("arn:aws:sns:us-east-1:1:t")
    assert not arn.matches("arn:aws:sns:us-east-1:1:2:t")


def test_wildcards_of_an_arn_condition_end_at_a_colon() -> None:
    part, whole = Pattern("a*b", segments=True), Pattern("a*b")
    assert set(texts([[part], [whole]])) == {0, 2, 3}
    assert texts([[part], [whole]])[2].count(":") == 1


def test_each_set_of_values_that_makes_a_difference_is_found() -> None:
    some = [Condition.parse("ForAnyValue:StringEquals", "k", [each]) for each in "abc"]
    only = [Condition.parse("ForAllValues:StringEquals", "k", [*each]) for each in ("abc", "ab")]
    expected = {
        tuple(one.holds(values) for one in (*some, *only))
        for size in range(1, 5)
        for values in itertools.combinations("abcx", size)
    }
    assert set(values_of("k", [*some, *only])) == {*expected, (False, False, False, True, True)}  # without the key


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(TooComplexError):
        texts([[Pattern(f"*{letter}*{letter}")] for letter in "abcdefghijklmnopq"])


@pytest.mark.parametrize("value", ["tomorrow", "", "1.2.3.4/99"])
@pytest.mark.parametrize("operator", ["NumericEquals", "DateLessThan", "IpAddress"])
def test_an_invalid_value_is_unknown(operator: str, value: str) -> None:
    assert Condition.parse(operator, "k", [value]).operator == "?"


def test_a_group_of_patterns_matches_what_any_of_them_matches() -> None:
    word, ending = Pattern("axy"), Pattern("*z")
    assert set(texts([[word, ending], [word]])) == {0, 1, 3}
    assert set(texts([[word, Pattern("a*")], [Pattern("axy*")]])) == {0, 1, 3}


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringEqualsIfExists", True),
        ("StringNotEquals", True),
        ("NotIpAddress", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("NumericLessThanIfExists", True),
        ("Bool", False),
    ],
)
def test_a_key_that_a_request_does_not_have(operator: str, expected: bool) -> None:
    values = {"NotIpAddress": "10.0.0.0/8", "NumericLessThanIfExists": "5"}
    assert Condition.parse(operator, "k", [values.get(operator, "x")]).holds(None) is expected

"""Which rights cover which."""

from __future__ import annotations

import pytest

from hello_queue.review.permissions import Right, contains, overlap, widenings


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("*", "sqs:SendMessage", True),
        ("sqs:*", "sqs:Send*", True),
        ("sqs:*", "sqs:*", True),
        ("SQS:sendmessage", "sqs:SendMessage", True),
        ("sqs:Send*", "sqs:*", False),
        ("sqs:S?nd", "sqs:Send", True),
        ("sqs:S?nd", "sqs:S*nd", False),
        ("sqs:S*nd", "sqs:S?nd", True),
        ("sqs:*Message", "sqs:*", False),
        ("a.b", "aXb", False),
        ("a", "a\n", False),
        ("a*", "a\nb", True),
    ],
)
def test_contains(wide: str, narrow: str, expected: bool) -> None:
    assert contains(wide, narrow) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("iam:*", "iam:ListUsers", True), ("iam:*", "sqs:*", False), ("*", "sqs:A", True), ("sqs:A", "sqs:a", True)],
)
def test_overlap(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is expected


def everything_but(*actions: str, effect: str = "Allow") -> Right:
    return Right("user a", effect, "*", "*", but=frozenset(actions))


def test_everything_but() -> None:
    assert everything_but("iam:*").covers(everything_but("iam:*", "sqs:*"))
    assert not everything_but("iam:*", "sqs:*").covers(everything_but("iam:*"))
    assert everything_but("iam:ListUsers").covers(everything_but("iam:*"))
    assert everything_but("iam:*").covers(Right("user a", "Allow", "sqs:SendMessage", "*"))
    assert not everything_but("iam:*").covers(Right("user a", "Allow", "iam:ListUsers", "*"))
    assert not everything_but("iam:*").covers(Right("user a", "Allow", "i*", "*"))
    assert Right("user a", "Allow", "*", "*").covers(everything_but("iam:*"))
    assert not Right("user a", "Allow", "sqs:*", "*").covers(everything_but("iam:*"))


def test_rights_of_others_do_not_count() -> None:
    assert widenings([Right("user a", "Allow", "*", "*")], [Right("user b", "Allow", "sqs:A", "*")])


def test_all_resources_but_some() -> None:
    one, other = (Right("a", "Allow", "s3:*", f"everything but arn:aws:s3:::pay{end}") for end in ("*", "roll"))
    assert widenings([one], [other])
    assert widenings([other], [one])
    assert not widenings([Right("a", "Allow", "s3:*", "*")], [one])


def test_an_arn_has_a_case_and_an_action_has_none() -> None:
    assert widenings([Right("a", "Allow", "sqs:*", "q")], [Right("a", "Allow", "sqs:*", "Q")])
    assert not widenings([Right("a", "Allow", "sqs:Send", "q")], [Right("a", "Allow", "SQS:send", "q")])


def test_an_allow_does_not_stand_in_for_a_denial() -> None:
    deny = Right("user a", "Deny", "sqs:A", "*")
    (found,) = widenings([deny], [Right("user a", "Allow", "*", "*")])[1:]
    assert found.before == deny

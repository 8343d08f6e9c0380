"""Policies of strangers: however they are made, comparing them ends, and what was not compared is said."""

from __future__ import annotations

import itertools
import json
import random
import string
import time
from collections.abc import Callable
from typing import Any

import pytest

from hello_queue.review import rules_of_rights, widenings
from hello_queue.review.rights.budget import ONE, Budget, TooComplexError
from hello_queue.review.rights.patterns import Pattern
from hello_queue.review.rules_of_rights import wider_rights
from tests.review.templates import document, statement
from tests.review.test_permissions import template, user

LARGEST = 6_144
"""Characters of a managed policy."""

INEXACT = "may be able to do more than before: the policies could not be compared exactly"


def stars(chosen: random.Random, letters: str = "abc", length: int = 4) -> str:
    return "*" + "*".join(chosen.choice(letters) for _ in range(length)) + "*"


def resources(chosen: random.Random) -> dict[str, Any]:
    return statement(Action="s3:*", Resource=[stars(chosen), stars(chosen)])


def other_resources(chosen: random.Random) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "*", "NotResource": [stars(chosen), stars(chosen)]}


def other_actions(chosen: random.Random) -> dict[str, Any]:
    actions = [stars(chosen, string.ascii_lowercase, 2) for _ in range(2)]
    return {"Effect": "Allow", "NotAction": actions, "NotResource": stars(chosen)}


def unknown_actions(chosen: random.Random) -> dict[str, Any]:
    return statement(Action=[f"zzz:{stars(chosen, string.ascii_lowercase, 3)}" for _ in range(2)])


def sets_of_values(chosen: random.Random) -> dict[str, Any]:
    condition = {"ForAnyValue:StringLike": {"k": stars(chosen)}, "ForAllValues:StringLike": {"k": stars(chosen)}}
    return statement(Action="sqs:*", Condition=condition)


def variables(chosen: random.Random) -> dict[str, Any]:
    tags = [f"${{aws:PrincipalTag/{chosen.choice(string.ascii_lowercase)}}}" for _ in range(2)]
    return statement(Action="s3:*", Resource=f"arn:aws:s3:::*{tags[0]}*{tags[1]}*")


def variables_in_conditions(chosen: random.Random) -> dict[str, Any]:
    tag = f"aws:PrincipalTag/{chosen.choice(string.ascii_lowercase)}"
    condition = {"StringLike": {"s3:prefix": [f"${{{tag}}}{stars(chosen)}", stars(chosen)], tag: stars(chosen)}}
    return statement(Action="s3:*", Condition=condition)


NASTY = [
    resources,
    other_resources,
    other_actions,
    unknown_actions,
    sets_of_values,
    variables,
    variables_in_conditions,
]


def largest(make: Callable[[random.Random], dict[str, Any]]) -> list[dict[str, Any]]:
    """As many statements as one policy can have, every other of which denies."""
    chosen, found = random.Random(1), []  # noqa: S311 (no secret)
    for effect in itertools.cycle(["Allow", "Deny"]):
        found.append({**make(chosen), "Effect": effect})
        if len(json.dumps(document(*found), separators=(",", ":"))) > LARGEST:
            return found[:-1]
    raise AssertionError


@pytest.mark.parametrize("make", NASTY, ids=lambda make: make.__name__)
def test_a_policy_made_to_take_forever_is_said_to_be_too_complex(
    make: Callable[[random.Random], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(widenings, "Budget", lambda: Budget(200_000, 100_000))
    statements = largest(make)
    before = template(U=user(*statements[1:]), B=("IAM::User", {"UserName": "bob"}))
    plain = {"UserName": "bob", "Policies": [{"PolicyName": "p", "PolicyDocument": document(statement())}]}
    after = template(U=user(*statements), B=("IAM::User", plain))
    found = [finding for finding in wider_rights(before, after, []) if finding.kind != "unknown-effect"]
    # What is too complex leaves enough for what is not.
    assert {each.witness for each in found} == {f"ada {INEXACT}", "bob could now call sqs:SendMessage on example"}
    assert [finding for finding in wider_rights(before, after, []) if finding.kind != "unknown-effect"] == found


def test_the_budget_is_for_all_rights_together(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = 0

    class Recorded(Budget):
        def spend(self, steps: int) -> None:
            super().spend(steps)
            nonlocal spent
            spent += steps

    monkeypatch.setattr(widenings, "Budget", lambda: Recorded(200_000, 100_000))
    statements = largest(resources)
    allows = [each for each in statements if each["Effect"] == "Allow"]
    found = list(wider_rights(template(U=user(*statements)), template(U=user(*allows)), []))
    assert len(found) == len(statements) - len(allows)
    assert {finding.witness for finding in found} == {f"ada {INEXACT}"}
    assert 100_000 < spent <= 200_000


def test_the_budget_is_a_matter_of_seconds() -> None:
    statements = largest(resources)
    begun = time.process_time()
    (one,) = wider_rights(template(U=user(*statements[1:])), template(U=user(*statements)), [])
    assert time.process_time() - begun < 10 * ONE / 1_000_000
    assert one.witness == f"ada {INEXACT}"


def test_looking_for_actions_that_do_not_exist_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_of_rights, "Budget", lambda: Budget(200_000, 200_000))
    actions = [f"*{one}{other}zzz*" for one in string.ascii_lowercase for other in string.ascii_lowercase]
    found = list(wider_rights(template(U=user()), template(U=user(statement(Effect="Deny", Action=actions))), []))
    last = found[-1]
    assert last.what == "too many actions with wildcards to look for each of them among those of AWS"
    assert 1 < len(found) < len(actions)


def test_steps() -> None:
    budget = Budget(10, 4)
    budget.spend(4)
    with pytest.raises(TooComplexError):
        budget.spend(1)
    budget.begin()
    budget.spend(4)
    budget.begin()
    with pytest.raises(TooComplexError):
        budget.spend(2)  # one was left of all


@pytest.mark.parametrize(
    "pattern",
    [Pattern("*a" * 6 + "*b"), Pattern("?" + "*a" * 6 + "*b"), Pattern("*a" * 6 + "*b", segments=True)],
    ids=lambda pattern: pattern.text,
)
def test_a_pattern_with_many_wildcards_takes_no_time(pattern: Pattern) -> None:
    begun = time.process_time()
    assert not pattern.matches("a" * 100)
    assert time.process_time() - begun < 1


def test_denials_of_thousands_of_resources_are_not_compared_with_each_other() -> None:
    before, after = (
        template(U=user(statement(), statement(Effect="Deny", Resource=[f"a{n}{end}*b" for n in range(3_000)])))
        for end in ("x", "y")
    )
    begun = time.process_time()
    found = list(wider_rights(before, after, []))
    assert time.process_time() - begun < 2
    assert [each.kind for each in found] == ["weaker-denial"]


def test_what_did_not_change_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widenings, "Budget", lambda: Budget(0, 0))
    same = template(U=user(*largest(resources)), R=("IAM::Role", {"RoleName": "r"}))
    assert list(wider_rights(same, {**same, "Other": {"Resources": {}}}, [])) == []

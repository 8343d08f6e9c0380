"""Policy variables: the rights of a group, whose members nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hello_queue.review.rights.budget import Budget
from hello_queue.review.rights.patterns import texts
from hello_queue.review.rights.statements import resource_pattern
from hello_queue.review.rights.variables import Form, filled, own_value, telling
from hello_queue.review.rules_of_rights import wider_rights
from tests.review.templates import statement
from tests.review.test_permissions import group, template

USERNAME = "${aws:username}"


def kinds(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    return [each.kind for each in wider_rights(template(G=group(*before)), template(G=group(*after)), [])]


def test_a_value_that_no_policy_names_as_a_word() -> None:
    own, denials = (
        statement(Resource=f"h/{USERNAME}"),
        [statement(Effect="Deny", Resource=each) for each in ("h/a*", "h/a")],
    )
    assert kinds([own, *denials], [own, denials[1]]) == ["weaker-denial"]  # of a user ab


def test_a_denial_of_all_but_the_own_resource() -> None:
    one, denial = statement(Resource="h/ab"), {"Effect": "Deny", "Action": "sqs:*", "NotResource": f"h/{USERNAME}"}
    assert kinds([], [one, denial]) == ["wider-rights"]  # of a user ab


def test_a_value_of_a_condition() -> None:
    own = statement(Condition={"StringEquals": {"aws:Referer": USERNAME}})
    denial = statement(Effect="Deny", Condition={"StringEquals": {"aws:Referer": "ab"}})
    assert kinds([own, denial], [own]) == ["weaker-denial"]


def test_a_variable_has_one_value_in_resources_and_conditions() -> None:
    denial = statement(Effect="Deny", Resource="h/ab")
    for operator, expected in (("StringEquals", ["weaker-denial"]), ("StringNotEquals", [])):
        own = statement(Resource=f"h/{USERNAME}", Condition={operator: {"aws:username": "ab"}})
        assert kinds([own, denial], [own]) == expected


def test_patterns_of_one_statement_are_told_apart() -> None:
    before = {"Effect": "Allow", "Action": "sqs:*", "NotResource": f"h/{USERNAME}"}
    assert kinds([before], [statement(Resource=[USERNAME, "*b"])]) == ["wider-rights"]  # h/b of a user b


def witness(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> str:
    (one,) = wider_rights(template(G=group(*before)), template(G=group(*after)), [])
    return one.witness


@pytest.mark.parametrize("covered", ["h/*e*", "h/??*", "h/*-*"])
def test_a_value_that_other_patterns_do_not_match(covered: str) -> None:
    """The example that is tried first is one that they match."""
    assert witness([statement(Resource=covered)], [statement(Resource=f"h/{USERNAME}")]) == (
        "Group g could now call sqs:SendMessage on h/x, with aws:username x"
    )


def test_a_witness_says_what_the_variables_stand_for() -> None:
    tag = "${aws:PrincipalTag/team}"
    call = "Group g could now call sqs:SendMessage on"
    own = statement(Resource=f"h/{tag}")
    assert witness([], [own]) == f"{call} h/example-team, with aws:PrincipalTag/team example-team"
    default = statement(Resource="h/${aws:PrincipalTag/team, 'x'}")
    assert witness([own], [default]) == f"{call} h/x, without aws:PrincipalTag/team"
    named = statement(Condition={"StringEquals": {"aws:Referer": USERNAME}})
    denial = statement(Effect="Deny", Condition={"StringEquals": {"aws:Referer": "ab"}})
    assert witness([named, denial], [named]) == f"{call} example, with aws:username ab, with aws:Referer ab"
    its_own = statement(Resource=f"h/{USERNAME}", Condition={"StringEquals": {"aws:UserName": "ab"}})
    assert witness([], [its_own]) == f"{call} h/ab, with aws:UserName ab"
    tagged = statement(Condition={"StringEquals": {"aws:Referer": tag}})
    denial = statement(Effect="Deny", Condition={"StringEquals": {"aws:Referer": "?b"}})
    assert witness([tagged, denial], [tagged]) == f"{call} example, with aws:PrincipalTag/team ?b, with aws:Referer ?b"
    elsewhere = statement(Resource=f"other/{USERNAME}")
    assert witness([elsewhere], [elsewhere, statement(Resource="h/a")]) == f"{call} h/a", "it does not matter"


def test_account_and_region_may_be_those_that_a_policy_names() -> None:
    ours = statement(Resource="arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:q")
    denial = statement(Effect="Deny", Resource="arn:aws:sqs:eu-west-1:444455556666:q")
    assert kinds([ours, denial], [ours]) == ["weaker-denial"]
    elsewhere = statement(Effect="Deny", Resource="arn:aws:sqs:nowhere:444455556666:q")
    assert kinds([ours, elsewhere], [ours]) == []


def test_two_variables_with_the_same_example_may_differ() -> None:
    principal, request = (f"h/${{aws:{tag}/team}}" for tag in ("PrincipalTag", "RequestTag"))
    assert own_value("aws:principaltag/team") == own_value("aws:requesttag/team")
    own = statement(Resource=principal)
    assert kinds([own, statement(Effect="Deny", Resource=request)], [own]) == ["weaker-denial"]
    assert kinds([], [own, statement(Effect="Deny", Resource=request)]) == ["wider-rights"]


def test_a_tag_has_the_value_that_a_condition_asks_for() -> None:
    tag = "aws:PrincipalTag/team"
    own = statement(Resource=f"h/${{{tag}}}", Condition={"StringLike": {tag: "a*"}})
    assert kinds([own, statement(Effect="Deny", Resource="h/a*")], [own]) == ["weaker-denial"]
    assert kinds([statement(Resource="h/*")], [statement(Resource="h/*"), own]) == []


@pytest.mark.parametrize(
    ("name", "patterns", "expected"),
    [
        ("aws:username", [f"h/{USERNAME}", "h/ab"], ["ab"]),
        ("aws:username", [f"h/{USERNAME}", "h/a*"], ["a"]),
        ("aws:username", [f"h/{USERNAME}", "h/*/x"], []),  # a username has no slash
        ("aws:principaltag/team", ["h/${aws:PrincipalTag/team}/*", "h/a/b"], ["a"]),
        (
            "aws::accountid",
            ["arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:q", "arn:aws:sqs:x:444455556666:q"],
            ["444455556666"],
        ),
        ("aws:userid", ["${*}/${aws:userid}", "${*}/ab"], ["ab"]),
        ("aws:userid", ["${*}/${aws:userid}", "x/ab"], []),
        ("aws:userid", ["h?/${aws:userid}", "hx/"], []),
        ("aws:userid", ["${aws:userid}b", "abab"], ["aba"]),
        ("aws:userid", ["h/${aws:userid}", "h/${aws:PrincipalTag/team}"], [own_value("aws:principaltag/team")]),
        ("aws:userid", ["h/*", "h/a"], []),
    ],
)
def test_values_that_make_patterns_match_together(name: str, patterns: list[str], expected: list[str]) -> None:
    forms = [Form.parse(each) for each in patterns]
    assert telling(name, [forms], (), Budget()) == expected


@given(st.text("ab/*?", max_size=6), st.text("ab/*?", max_size=6))
def test_a_pattern_matches_a_text_of_another_with_a_value_that_is_told(rest: str, other: str) -> None:
    pattern = f"{rest[:3]}${{aws:userid}}{rest[3:]}"

    def match_together(value: str) -> bool:
        text = filled(pattern, {"aws:userid": value})
        assert text
        return 3 in texts([[resource_pattern(text)], [resource_pattern(other)]])

    told = telling("aws:userid", [[Form.parse(pattern), Form.parse(other)]], (), Budget())
    some = ("a", "b", "x", "ab", "ba", "xx", "a/b", "b/a")
    assert {*map(match_together, some)} <= {*map(match_together, [own_value("aws:userid"), *told])}

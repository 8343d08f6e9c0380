"""Rules of AWS's policy language that policies seldom use, each with the page of the IAM User Guide that has it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/
"""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from hello_queue.review.rights.decision import Request
from hello_queue.review.rights.pairs import wider
from hello_queue.review.rules_of_rights import wider_rights
from tests.review.templates import document, statement
from tests.review.test_permissions import kinds, template, user

USERNAME = "${aws:username}"
TEAM = "${aws:PrincipalTag/team}"


def allow(**changes: Any) -> dict[str, Any]:
    return statement(**changes)


def deny(**changes: Any) -> dict[str, Any]:
    return statement(Effect="Deny", **changes)


def found(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Request | None:
    pair = wider(document(*before), document(*after))
    return pair[1] if pair else None


def is_wider(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> bool:
    return found(before, after) is not None


def dated(version: Any, *statements: dict[str, Any]) -> dict[str, Any]:
    return {**document(*statements), "Version": version}


def test_variables_of_an_old_policy_are_text() -> None:
    """reference_policies_elements_version.html: in a policy of 2008-10-17, ${aws:username} is a literal string."""
    own = allow(Resource=f"h/{USERNAME}")
    old, new = dated("2008-10-17", own), dated("2012-10-17", own)
    assert wider(old, new)
    assert wider(new, old)
    assert not wider(old, old)
    assert not wider(new, new)
    assert not wider(dated("2012-10-17", allow(Resource="h/$*")), old)
    star = dated("2008-10-17", allow(Resource="h/${*}"))  # any text in braces
    assert not wider(star, dated("2008-10-17", allow(Resource="h/${ab}")))
    without = {"Statement": [own]}
    assert not wider(old, without)
    assert wider(without, new)


@pytest.mark.parametrize("version", [None, "2008-10-17", {"Ref": "Version"}])
def test_a_template_without_the_new_version_has_no_variables(version: Any) -> None:
    def of(version: Any, *statements: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return user(Policies=[{"PolicyName": "p", "PolicyDocument": dated(version, *statements)}])

    denial = deny(Resource=f"h/{USERNAME}")
    before = template(U=of("2012-10-17", allow(Resource="h/*"), denial))
    after = template(U=of(version, allow(Resource="h/*"), denial))
    (finding,) = wider_rights(before, after, [])
    assert finding.witness == "ada could now call sqs:SendMessage on h/ada"
    assert kinds(before, template(U=of(datetime.date(2012, 10, 17), allow(Resource="h/*"), denial))) == []  # from YAML


def test_escaped_wildcards_are_characters() -> None:
    """reference_policies_elements_resource.html and ..._variables.html: ${*}, ${?} and ${$}."""
    assert not is_wider([allow(Resource="a*")], [allow(Resource="a${*}")])
    assert is_wider([allow(Resource="a${*}")], [allow(Resource="a${?}")])
    assert not is_wider([allow(Resource="a$b")], [allow(Resource="a${$}b")])
    like, equals = (
        {operator: {"aws:Referer": value}} for operator, value in (("StringLike", "a${*}"), ("StringEquals", "a*"))
    )
    assert not is_wider([allow(Condition=like)], [allow(Condition=equals)])
    assert not is_wider([allow(Condition=equals)], [allow(Condition=like)])
    request = found([], [allow(Resource="a${*}", Condition=like)])
    assert request
    assert (request.resource, request.context) == ("a*", {"aws:Referer": ("a*",)})


def test_a_name_of_a_variable_has_no_case() -> None:
    """reference_policies_variables.html: key names are not case-sensitive."""
    assert not is_wider([allow(Resource=f"h/{USERNAME}")], [allow(Resource="h/${AWS:UserName}")])
    assert not is_wider([allow(Resource=f"h/{USERNAME}")], [allow(Resource="h/${ aws:username }")])


def test_a_variable_without_a_value() -> None:
    """reference_policies_variables.html#policy-vars-no-value and #policy-vars-default-values."""
    some, other = "h/${aws:PrincipalTag/team, 'x'}", "h/${aws:PrincipalTag/team, 'y'}"
    assert not is_wider([allow(Resource=some)], [allow(Resource=f"h/{TEAM}")])
    assert is_wider([allow(Resource=f"h/{TEAM}")], [allow(Resource=some)])
    assert is_wider([allow(Resource=some)], [allow(Resource=other)])
    assert is_wider([allow(Resource=f"h/{USERNAME}")], [allow(Resource="h/${aws:username, 'x'}")])  # h/x of a role
    # Where nobody has the tag, the denial denies nothing.
    has_no_tag = {"Null": {"aws:PrincipalTag/team": "true"}}
    assert is_wider([allow(Condition=has_no_tag), deny()], [allow(Condition=has_no_tag), deny(Resource=TEAM)])
    inverted = {"StringNotEquals": {"aws:Referer": TEAM}}
    assert not is_wider([], [allow(Condition=has_no_tag), deny(Condition=inverted)])


def test_a_variable_has_the_same_value_everywhere() -> None:
    ab = {"StringEquals": {"aws:username": "ab"}}
    assert not is_wider([allow(Resource="h/ab", Condition=ab)], [allow(Resource=f"h/{USERNAME}", Condition=ab)])
    begins, ends = allow(Resource="h/a*"), {"StringLike": {"aws:username": "*b"}}
    own = allow(Resource=f"h/{USERNAME}", Condition=ends)
    assert is_wider([own, deny(Resource="h/a*")], [own])  # a user ab
    referer = {"StringLike": {"aws:Referer": "*b"}}
    its_own = {"StringEquals": {"aws:Referer": USERNAME}}
    before = [allow(Resource=f"h/{USERNAME}", Condition=its_own), deny(Resource="h/a*", Condition=referer)]
    assert is_wider(before, before[:1])
    assert not is_wider([begins], [allow(Resource="h/a", Condition=ends)])


def test_two_variables_have_values_of_their_own() -> None:
    both = [
        allow(Resource=f"{TEAM}/{USERNAME}"),
        deny(Resource="a/*", Condition={"StringEquals": {"aws:Referer": "x"}}),
    ]
    assert is_wider([*both, deny(Resource="a/b")], both)
    assert is_wider([allow(Resource=f"h/{TEAM}"), deny(Resource=f"h/{USERNAME}")], [allow(Resource=f"h/{TEAM}")])


def test_a_key_that_conditions_take_for_different_kinds() -> None:
    address = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    text = {"StringEquals": {"aws:SourceIp": "10.1.2.3"}}
    assert not is_wider([allow(Condition=address)], [allow(Condition=text)])
    assert is_wider([allow(Condition=address), deny(Condition=text)], [allow(Condition=address)])
    assert is_wider([allow(Condition=text)], [allow(Condition={"StringLike": {"aws:SourceIp": "10.1.*"}, **address})])
    number, digit = {"NumericLessThan": {"s3:max-keys": "10"}}, {"StringEquals": {"s3:max-keys": "7"}}
    assert is_wider([allow(Condition=number), deny(Condition=digit)], [allow(Condition=number)])
    assert not is_wider([allow(Condition=number)], [allow(Condition=digit)])
    admin, yes = (
        {operator: {"aws:PrincipalTag/admin": value}} for operator, value in (("Bool", "true"), ("StringEquals", "yes"))
    )
    assert is_wider([allow(Condition=admin)], [allow(Condition=yes)])


def test_a_value_may_be_empty() -> None:
    """reference_policies_examples_s3_home-directory-console.html: s3:prefix is "" for the whole bucket."""
    some, any_ = ({"StringLike": {"s3:prefix": value}} for value in ("?*", "*"))
    assert is_wider([allow(Condition=some)], [allow(Condition=any_)])
    assert not is_wider([allow(Condition=any_)], [allow(Condition=some)])


def test_an_address_outside_of_all_that_are_named() -> None:
    named = {"IpAddress": {"aws:SourceIp": ["128.0.0.0/1", "::/0"]}}
    assert is_wider([allow(Condition=named)], [allow(Condition={"Null": {"aws:SourceIp": "false"}})])


def test_all_but_a_resource_that_is_decided_later() -> None:
    later = {"Fn::If": ["Later", "a", "b"]}
    (some, more) = ({"Effect": "Deny", "Action": "sqs:*", "NotResource": each} for each in (["q"], ["q", later]))
    assert is_wider([allow(), some], [allow(), more])
    assert not is_wider([allow(), more], [allow(), some])


def test_fn_sub_leaves_variables_to_iam() -> None:
    """AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-sub.html: ${!Literal}, and references."""
    plain = allow(Resource=f"arn:aws:sqs:*:*:{USERNAME}-*")
    sub = allow(Resource={"Fn::Sub": "arn:aws:sqs:*:*:${!aws:username}-*"})
    assert kinds(template(U=user(plain)), template(U=user(sub))) == []
    queue: Any = ("SQS::Queue", {"QueueName": "q"})
    get, sub = allow(Resource={"Fn::GetAtt": ["Q", "Arn"]}), allow(Resource={"Fn::Sub": "${Q.Arn}"})
    assert kinds(template(Q=queue, U=user(get)), template(Q=queue, U=user(sub))) == []
    (bob,) = wider_rights(template(U=user(plain)), template(U=user(allow(Resource={"Fn::Sub": "${!aws:userid}"}))), [])
    assert bob.witness == "ada could now call sqs:SendMessage on example-userid, with aws:userid example-userid"


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        [[]],
        7,
        "9" * 400,
        "1e999",
        "nan",
        "${",
        "${aws:}",
        {"Ref": ["x"]},
        {"Fn::Join": []},
        {"Fn::Sub": []},
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_policy_is_no_crash(value: Any) -> None:
    operators = ("StringLike", "NumericLessThan", "DateEquals", "IpAddress", "Null", "ForAllValues:")
    changes: list[dict[str, Any]] = [
        {key: value} for key in ("Effect", "Action", "NotAction", "Resource", "NotResource")
    ]
    changes += [{"Condition": value}, *({"Condition": {operator: {"k": value}}} for operator in operators)]
    for change in changes:
        wider(document(allow()), document(allow(**change)))
        list(wider_rights(template(U=user(allow())), template(U=user(allow(**change))), []))
    wider(document(allow()), {"Statement": value})
    odd = user(Policies=value, Groups=value, PermissionsBoundary=value, ManagedPolicyArns=value)
    list(wider_rights(template(U=user(allow())), template(U=odd), []))

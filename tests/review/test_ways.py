"""Rights that lead to all rights: each known way is reported, and none of which a right is missing."""

from __future__ import annotations

import functools

import pytest

from hello_queue.review.rights.conditions import Condition
from hello_queue.review.rights.policies import Policies
from hello_queue.review.rights.statements import Statement, parse_conditions
from hello_queue.review.rights.ways import WAYS, Way, new_ways

HOLDER = "user ada"
PARTS = [(way, need) for way in WAYS for need in way.needs]


def allowing(*needs: str) -> Policies:
    return Policies(tuple(statement(need) for need in needs))


def statement(need: str) -> Statement:
    action, _, service = need.removesuffix(" on others").partition(" to ")
    conditions = parse_conditions({"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}})
    return Statement(True, (action,), conditions=conditions if service else ())


@functools.cache
def found(*needs: str) -> list[Way]:
    return new_ways(HOLDER, Policies(), allowing(*needs))


def test_there_are_many_ways() -> None:
    assert len(WAYS) == len({way.needs for way in WAYS}) >= 40


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_is_found(way: Way) -> None:
    assert found(*way.needs) == [way]


@pytest.mark.parametrize(("way", "missing"), PARTS, ids=lambda value: value if isinstance(value, str) else value.name)
def test_without_one_of_its_rights_there_is_no_way(way: Way, missing: str) -> None:
    assert found(*(need for need in way.needs if need != missing)) == []


def test_a_way_that_was_open_before_is_not_new() -> None:
    before = Policies((Statement(True, ("*",)),))
    assert new_ways(HOLDER, before, Policies((*before.identity, Statement(True, ("iam:*",))))) == []


def test_the_last_missing_right_opens_the_way() -> None:
    (way,) = new_ways(
        HOLDER,
        allowing("iam:PassRole to lambda", "lambda:CreateFunction"),
        allowing("iam:PassRole to lambda", "lambda:CreateFunction", "lambda:InvokeFunction"),
    )
    assert way.name == "a function that is called"


def test_a_role_for_another_service_is_of_no_use() -> None:
    assert found("iam:PassRole to ec2", "lambda:CreateFunction", "lambda:InvokeFunction") == []


@pytest.mark.parametrize(
    "resource", ["arn:aws:iam::${AWS::AccountId}:user/ada", "arn:aws:iam::*:user/${aws:username}", "arn:aws:sqs:*:*:*"]
)
def test_the_own_access_key_is_no_way(resource: str) -> None:
    one = Statement(True, ("iam:CreateAccessKey",), (resource,)).assuming({"aws:username": "ada"})
    assert new_ways(HOLDER, Policies(), Policies((one,))) == []


def test_a_denial_closes_a_way() -> None:
    denial = Statement(False, ("iam:*",))
    assert new_ways(HOLDER, Policies(), Policies((*allowing("iam:PutUserPolicy").identity, denial))) == []
    only_without_mfa = Condition.parse("Bool", "aws:MultiFactorAuthPresent", ["false"])
    denial = Statement(False, ("iam:*",), conditions=(only_without_mfa,))
    assert new_ways(HOLDER, Policies(), Policies((*allowing("iam:PutUserPolicy").identity, denial)))


def test_a_boundary_closes_a_way() -> None:
    boundary = (Statement(True, ("sqs:*",)),)
    own = allowing("iam:PutUserPolicy").identity
    assert new_ways(HOLDER, Policies(), Policies(own, boundary=boundary)) == []


def test_an_action_without_resources_is_allowed_on_all_resources_only() -> None:
    needed = "sso-directory:AddMemberToGroup"
    some = Statement(True, (needed,), ("arn:aws:sqs:*:*:*",))
    assert new_ways(HOLDER, Policies(), Policies((some,))) == []
    assert new_ways(HOLDER, Policies(), allowing(needed))
    but_some = Statement(True, (needed,), ("arn:aws:sqs:*:*:*",), but_resources=True)
    assert new_ways(HOLDER, Policies(), Policies((but_some,)))

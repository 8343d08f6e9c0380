"""The decision against an oracle: all requests of a small world, before and after changes of its policies."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hello_queue.review.rules_of_rights import wider_rights
from tests.review.oracle import Account, Context, Policy, Values
from tests.review.test_permissions import template

HOLDER, SERVICE = "any holder of policy limits", "service s3.amazonaws.com"
USERNAME, TEAM = "${aws:username}", "${aws:PrincipalTag/team}"
QUEUE = "arn:aws:sqs:us-east-1:111122223333:q"
ACTIONS = ("sqs:SendMessage", "sqs:PurgeQueue", "sqs:DeleteMessage", "s3:GetObject")
RESOURCES = (QUEUE, "ab", "b", "x", "a*", "h/ada", "h/a", "h/ab", "h/zz", "h/x", "ada", "adab", "zz/x", "x/x")
PRINCIPALS: dict[str, Any] = {
    "user ada": {"AWS": {"Fn::GetAtt": ["Ada", "Arn"]}},
    "user bob": {"AWS": {"Fn::GetAtt": ["Bob", "Arn"]}},
    SERVICE: {"Service": "s3.amazonaws.com"},
    "account": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}},
    "*": {"AWS": "*"},
}
"""Whom the queue's policy may name, as the oracle calls them, and as the template does."""

POSSIBLE: dict[str, tuple[Values, ...]] = {
    "aws:referer": (None, ("ab",), ("AB",), ("b",), ("zz",), ("a*",), ("ada",), ("x",)),
    "aws:tagkeys": (None, ("a",), ("b",), ("a", "b"), ("zz",), ("a", "zz"), ("b", "zz"), ("a", "b", "zz")),
    "aws:sourceip": (None, ("10.0.0.1",), ("10.0.1.1",), ("203.0.113.7",), ("2001:db8::7",)),
    "s3:max-keys": (None, ("4",), ("5",), ("6",)),
    "aws:multifactorauthpresent": (None, ("true",), ("false",)),
    "aws:tokenissuetime": (None, ("2026-01-01T00:00:00Z",), ("2026-06-01T00:00:00Z",), ("2026-12-01T00:00:00Z",)),
    "aws:sourcearn": (None, ("arn:aws:sns:r:1:t",), ("arn:aws:sns:r:1:t:x",), ("arn:aws:sns:q:1:other",)),
    "aws:username": (("a",), ("ab",), ("zz",), ("x",)),
    "aws:principaltag/team": (None, ("a",), ("ab",), ("x",), ("h",), ("zz",)),
}
"""Values of condition keys and policy variables."""

_strings = [*(f"String{one}{other}" for one in ("", "Not") for other in ("Equals", "EqualsIgnoreCase", "Like"))]
_order = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
ASKED: dict[str, tuple[list[str], list[Any]]] = {
    "aws:Referer": (_strings, ["ab", "a*", "?b", "b", "${*}", "a${*}", USERNAME, TEAM, f"{TEAM}b", "${aws:username}*"]),
    "aws:TagKeys": (
        [f"{which}:{each}" for which in ("ForAllValues", "ForAnyValue") for each in _strings],
        ["a", "b", "z*", "?", TEAM],
    ),
    "aws:SourceIp": (["IpAddress", "NotIpAddress"], ["10.0.0.0/24", "10.0.0.0/16", "0.0.0.0/0", "2001:db8::/32"]),
    "s3:max-keys": ([f"Numeric{each}" for each in _order], ["5", 5, "4.5"]),
    "aws:MultiFactorAuthPresent": (["Bool"], ["true", "false", True]),
    "aws:TokenIssueTime": ([f"Date{each}" for each in _order], ["2026-06-01T00:00:00Z", "2026-03-01T00:00:00Z"]),
    "aws:SourceArn": (
        ["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"],
        ["arn:aws:sns:*:*:t", "arn:aws:sns:*:*:*", "arn:aws:sns:r:1:t"],
    ),
    "aws:username": (_strings, ["ab", "a*", "ada", TEAM]),
    "aws:PrincipalTag/team": (_strings, ["a", "a*", USERNAME, "x"]),
}
"""Operators and values of conditions, by key."""


@st.composite
def conditions(draw: st.DrawFn, keys: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 1, 2]))):
        key = draw(st.sampled_from(keys))
        operators, values = ASKED[key]
        operator = draw(st.sampled_from(operators)) + draw(st.sampled_from(["", "", "IfExists"]))
        wanted: Any = draw(st.lists(st.sampled_from(values), min_size=1, max_size=2))
        if draw(st.integers(0, 5)) == 0:
            operator, wanted = "Null", [draw(st.sampled_from(["true", "false"]))]
        written = draw(st.sampled_from([key, key, key.lower(), key.upper()]))
        if not {key.lower(), key.upper()} & {each.lower() for each in found.get(operator, {})}:
            found.setdefault(operator, {})[written] = wanted if len(wanted) > 1 else wanted[0]
    return found


_ACTIONS = ["*", "sqs:*", "sqs:SendMessage", "SQS:sendmessage", "sqs:*Message", "sqs:?urgeQueue", "s3:Get*"]
_PLAIN = ["*", "a*", "*b", "a?", "ab", "h/*", "h/??*", "a${*}", "${?}", "arn:aws:sqs:*:*:q", "arn:aws:s3:::b", "*/x"]
_VARIABLE = [f"h/{USERNAME}", f"{USERNAME}*", f"h/{TEAM}", f"{TEAM}/x", f"{TEAM}/{USERNAME}"]
_OF_QUEUE = ["*", "arn:aws:sqs:*:*:q", "arn:aws:sqs:*:*:q*"]


@dataclass(frozen=True)
class Theme:
    """What the statements of a change are made of. With little choice, they often bear on the same requests."""

    keys: list[str]
    actions: list[str]
    resources: list[str]


@st.composite
def themes(draw: st.DrawFn) -> Theme:
    if draw(st.booleans()):
        keys = draw(st.lists(st.sampled_from([*ASKED]), min_size=1, max_size=2, unique=True))
        return Theme(keys, _ACTIONS, [*_PLAIN, *_VARIABLE, "h/${aws:PrincipalTag/team, 'x'}"])
    keys = ["aws:Referer", "aws:username", "aws:PrincipalTag/team"]
    variable = draw(st.lists(st.sampled_from(_VARIABLE), min_size=1, max_size=2, unique=True))
    return Theme(draw(st.permutations(keys))[:2], ["sqs:*"], [*variable, "h/*", "h/??*", "h/a*", "h/ab", "*/x", "ab"])


@st.composite
def statements(draw: st.DrawFn, theme: Theme, *, of_queue: bool = False) -> dict[str, Any]:
    actions = st.lists(st.sampled_from(theme.actions), min_size=1, max_size=2)
    found = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(actions),
        "Condition": draw(conditions(theme.keys)),
    }
    if of_queue:
        found["Resource"] = draw(st.sampled_from(_OF_QUEUE))
        found["Principal"] = draw(st.sampled_from([*PRINCIPALS]))
        if found["Effect"] == "Deny" and draw(st.integers(0, 3)) == 0:
            del found["Principal"]
            found["NotPrincipal"] = draw(st.sampled_from(["user ada", "user bob", SERVICE]))
    else:
        which = draw(st.sampled_from(["Resource", "Resource", "NotResource"]))
        found[which] = draw(st.lists(st.sampled_from(theme.resources), min_size=1, max_size=2))
    return found


PLACES = ("ada", "group", "boundary", "queue")
World = dict[str, Any]
"""The statements of each place, with a version for each."""


@st.composite
def changes(draw: st.DrawFn) -> tuple[World, World]:
    """A world before a change and after it. Most changes are small: with large ones, nearly everything is wider."""
    theme = draw(themes())

    def some(place: str, most: int = 2) -> list[dict[str, Any]]:
        return draw(st.lists(statements(theme, of_queue=place == "queue"), max_size=most))

    before: World = {place: some(place) for place in PLACES}
    before |= {"versions": draw(st.sampled_from([["2012-10-17"] * 4] * 5 + [["2012-10-17", None, "2008-10-17", None]]))}
    before["limited"] = draw(st.booleans())
    after = copy.deepcopy(before)
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from(PLACES))
        own = after[place]
        edit = draw(st.sampled_from(["add", "drop", "condition", "element", "move", "limited", "version"]))
        if edit == "add":
            own += some(place, 1)
        elif edit == "limited":
            after["limited"] = not after["limited"]
        elif edit == "version":
            after["versions"] = ["2012-10-17"] * 4
        elif own:
            chosen = draw(st.sampled_from(range(len(own))))
            if edit == "drop":
                del own[chosen]
            elif edit == "condition":
                own[chosen]["Condition"] = draw(conditions(theme.keys))
            elif edit == "element":
                other = draw(statements(theme, of_queue=place == "queue"))
                own[chosen] = {**other, "Condition": own[chosen]["Condition"]}
            elif place != "queue":
                after[draw(st.sampled_from(PLACES[:3]))].append(own.pop(chosen))
    return before, after


def policies(world: World) -> dict[str, Policy]:
    return {
        place: {**({"Version": version} if version else {}), "Statement": world[place]}
        for place, version in zip(PLACES, world["versions"], strict=True)
    }


def account(world: World, identity: str) -> Account:
    """The world for the oracle.

    Args:
        identity: what the policies of principals outside of the templates allow, which nobody knows.
    """
    found = policies(world)
    everything: Policy = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    unknown = [everything] if identity == "everything" else []
    own = {
        "user ada": [found["ada"], found["group"]],
        "group g": [found["group"]],
        HOLDER: [found["boundary"], *unknown],
    }
    own |= dict.fromkeys(("anyone", "account", SERVICE), unknown)
    return Account(own, {"user ada": found["boundary"]} if world["limited"] else {}, found["queue"])


def templates(world: World) -> dict[str, Any]:
    found = policies(world)

    def inline(policy: Policy) -> list[dict[str, Any]]:
        return [{"PolicyName": "p", "PolicyDocument": policy}] if policy["Statement"] else []

    ada: dict[str, Any] = {"UserName": "ada", "Groups": [{"Ref": "G"}], "Policies": inline(found["ada"])}
    if world["limited"]:
        ada["PermissionsBoundary"] = {"Ref": "Limits"}
    of_queue = {**found["queue"], "Statement": [_with_principals(each) for each in found["queue"]["Statement"]]}
    return template(
        Ada=("IAM::User", ada),
        Bob=("IAM::User", {"UserName": "bob"}),
        G=("IAM::Group", {"GroupName": "g", "Policies": inline(found["group"])}),
        Limits=("IAM::ManagedPolicy", {"ManagedPolicyName": "limits", "PolicyDocument": found["boundary"]}),
        Queue=("SQS::Queue", {"QueueName": "q"}),
        Policy=("SQS::QueuePolicy", {"Queues": [{"Ref": "Queue"}], "PolicyDocument": of_queue}),
    )


def _with_principals(source: dict[str, Any]) -> dict[str, Any]:
    return {key: PRINCIPALS[each] if key.endswith("Principal") else each for key, each in source.items()}


def is_new(before: World, after: World, who: str, action: str, resource: str, context: Context) -> bool:
    """Whether the oracle allows a request after the change, and did not before."""
    return any(
        [
            account(world, identity).allows(who, action, resource, context, is_queue=resource == QUEUE)
            for world in (before, after)
        ]
        == [False, True]
        for identity in ("nothing", "everything")
    )


NAMES: dict[str, Values] = {"user ada": ("ada",), "user bob": ("bob",), SERVICE: None}
"""The names of principals that have one, or certainly none."""

WHO = {
    "user ada": ("group g", "account"),
    "user bob": ("account",),
    "group g": ("account",),
    HOLDER: ("account",),
    SERVICE: (),
    "account": (),
    "anyone": (),
}
"""All principals, each with the others whose findings are about it, too. Those of anyone are about all."""


def requests(before: World, after: World, most: int = 600) -> Iterator[tuple[str, str, str, Context]]:
    """All requests of the small world, or an arbitrary part of them."""
    text = str([before, after]).lower()
    keys = [key for key in POSSIBLE if key in text]
    contexts = [dict(zip(keys, values, strict=True)) for values in itertools.product(*(POSSIBLE[key] for key in keys))]
    every = list(itertools.product(WHO, ACTIONS, RESOURCES, contexts))
    chosen = random.Random(len(every))  # noqa: S311 (no secret)
    for who, action, resource, context in every if len(every) <= most else chosen.sample(every, most):
        if who != HOLDER or not (before["limited"] or after["limited"]):
            yield who, action, resource, {**context, **({"aws:username": NAMES[who]} if who in NAMES else {})}


def disagreement(before: World, after: World) -> str:
    """How the decision and the oracle disagree, or ""."""
    findings = [each for each in wider_rights(templates(before), templates(after), []) if each.kind != "unknown-effect"]
    told = set()
    for finding in findings:
        assert finding.request, "too complex"
        who = "account" if "${AWS::AccountId}" in finding.who else finding.who.partition(" but ")[0]
        told.add(who)
        resource = finding.request.resource.replace("${AWS::Region}", "us-east-1")
        resource = resource.replace("${AWS::AccountId}", "111122223333")
        context = {key.lower(): value for key, value in finding.request.context.items()}
        context |= {"aws:username": NAMES[who]} if who in NAMES else {}
        if not is_new(before, after, who, finding.request.action, resource, context):
            return f"false alarm: {finding.kind} {finding.who}: {finding.request}"
    for request in requests(before, after):
        who = request[0]
        if not told & {who, *WHO[who], "anyone"} and is_new(before, after, *request):
            return f"missed: {request}"
    return ""


@pytest.mark.parametrize("examples", [40, pytest.param(4_000, marks=pytest.mark.soak)])
def test_the_oracle_agrees(examples: int) -> None:
    few, checks = examples < 100, [*HealthCheck]

    @settings(max_examples=examples, deadline=None, derandomize=few, database=None, suppress_health_check=checks)
    @given(changes())
    def run(change: tuple[World, World]) -> None:
        assert disagreement(*change) == ""

    run()

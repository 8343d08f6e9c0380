"""Findings about denials that are gone or narrower."""

from __future__ import annotations

from typing import Any

import pytest

from hello_queue.review.comparison import Comparison, compare
from tests.review.templates import (
    ARN,
    DEAD_LETTER_QUEUE,
    IDENTITY,
    POLICY,
    QUEUE_POLICY,
    Change,
    assert_decisions,
    changed,
    compare_changes,
    golden,
    logical_id,
    properties,
    statement,
    tls_only,
    use_the_queue,
)

PLAIN = "administrator_access=false"


def plain_http(identity: Any, messaging: Any) -> None:
    del messaging[QUEUE_POLICY]


def plain_http_for_receiving(identity: Any, messaging: Any) -> None:
    tls_only(messaging)[0]["Action"] = ["sqs:SendMessage"]


def a_weaker_operator(identity: Any, messaging: Any) -> None:
    tls_only(messaging)[0]["Condition"] = {"StringEquals": {"aws:SecureTransport": "maybe"}}


def an_additional_condition_on_a_denial(identity: Any, messaging: Any) -> None:
    tls_only(messaging)[0]["Condition"]["StringEquals"] = {"aws:SourceAccount": "444455556666"}


def a_condition_decided_at_deploy_time(identity: Any, messaging: Any) -> None:
    tls_only(messaging)[0]["Condition"] = {"Fn::If": ["Later", {}, {"Bool": {"aws:SecureTransport": "false"}}]}


def a_denial_on_a_condition(identity: Any, messaging: Any) -> None:
    messaging[QUEUE_POLICY]["Condition"] = "Never"


def the_denial_moves_to_another_queue(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE_POLICY)["Queues"] = [{"Ref": DEAD_LETTER_QUEUE}]


TLS = "if aws:SecureTransport is false"
WHOLE = f"sqs:* on {ARN} {TLS}"
GONE = f"weaker-denial: anyone is no longer denied {WHOLE}"


def less(left: str) -> list[str]:
    return [f"weaker-denial: anyone is denied less: {left}, no longer {WHOLE}"]


CASES: list[tuple[Change, list[str]]] = [
    (plain_http, [GONE]),
    (plain_http_for_receiving, less(f"sqs:SendMessage on {ARN} {TLS}")),
    (a_weaker_operator, less(f"sqs:* on {ARN} if aws:SecureTransport is maybe")),
    (an_additional_condition_on_a_denial, less(f"{WHOLE} and aws:SourceAccount is 444455556666")),
    (
        a_condition_decided_at_deploy_time,
        less(f'sqs:* on {ARN} if {{"Fn::If": ["Later", {{}}, {{"Bool": {{"aws:SecureTransport": "false"}}}}]}} holds'),
    ),
    (a_denial_on_a_condition, less(f"{WHOLE} and condition Never of the template holds")),
    (the_denial_moves_to_another_queue, [GONE]),
]


@pytest.fixture(scope="module")
def comparisons() -> dict[str, Comparison]:
    return compare_changes(change for change, _ in CASES)


@pytest.mark.parametrize(("change", "expected"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_needs_a_decision(change: Change, expected: list[str], comparisons: dict[str, Comparison]) -> None:
    assert_decisions(comparisons[change.__name__], expected)


def test_an_exception_to_the_denial_without_mfa() -> None:
    before = golden("console_access=true")
    policy = logical_id(
        IDENTITY, "AWS::IAM::ManagedPolicy", "console_access=true", ManagedPolicyName="Administrator-require-mfa"
    )

    def without_mfa(identity: Any, messaging: Any) -> None:
        (deny,) = (each for each in properties(identity, policy)["PolicyDocument"]["Statement"] if "NotAction" in each)
        deny["NotAction"].append("s3:*")

    ((findings, _),) = compare([(before, changed(without_mfa, before))])
    assert [finding.kind for finding in findings] == ["weaker-denial"]
    assert "s3:*" in findings[0].after
    assert "s3:*" not in findings[0].before


def test_what_is_left_of_a_denial_is_shown() -> None:
    """Of its resources, which narrow: a finding of its own, beside the one for the denial that is gone."""
    denial = statement(Effect="Deny", Action="sqs:*", Resource=["arn:aws:sqs:*:*:a", "arn:aws:sqs:*:*:b"])
    before = changed(lambda identity, _: use_the_queue(identity).update(Resource="*"), golden(PLAIN))
    policy = before[IDENTITY]["Resources"][POLICY]["Properties"]["PolicyDocument"]["Statement"]

    def less_of_it(identity: Any, messaging: Any) -> None:
        properties(identity, POLICY)["PolicyDocument"]["Statement"][-1]["Resource"] = "arn:aws:sqs:*:*:b"

    def nothing_of_it(identity: Any, messaging: Any) -> None:
        properties(identity, POLICY)["PolicyDocument"]["Statement"].pop()

    policy.append(denial)
    ((narrower, _), (gone, _)) = compare([(before, changed(each, before)) for each in (less_of_it, nothing_of_it)])
    (narrow, none) = narrower[0], gone[0]
    assert len(narrower) == len(gone) == 1
    assert (narrow.before, narrow.after) == (
        "denied sqs:* on arn:aws:sqs:*:*:a, arn:aws:sqs:*:*:b",
        "denied sqs:* on arn:aws:sqs:*:*:b",
    )
    assert none.after == "not denied"
    assert narrow.id != none.id, "to accept the one is not to accept the other"


def test_a_denial_for_fewer_principals_names_them() -> None:
    def for_one_account(identity: Any, messaging: Any) -> None:
        tls_only(messaging)[0]["Principal"] = {"AWS": "444455556666"}

    ((findings, _),) = compare([(golden(), changed(for_one_account, golden()))])
    assert [finding.id for finding in findings] == less(f"{WHOLE} for account 444455556666")

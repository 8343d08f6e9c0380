"""Findings about denials that are gone or narrower."""

from __future__ import annotations

from typing import Any

import pytest

from hello_queue.review.comparison import Comparison, compare
from tests.review.templates import (
    ARN,
    DEAD_LETTER_QUEUE,
    IDENTITY,
    QUEUE_POLICY,
    Change,
    assert_decisions,
    changed,
    compare_changes,
    golden,
    logical_id,
    properties,
    tls_only,
)


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


CASES: list[tuple[Change, list[str]]] = [
    (
        plain_http,
        [f'weaker-denial: anyone: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (
        plain_http_for_receiving,
        [f'weaker-denial: anyone: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (
        a_weaker_operator,
        [f'weaker-denial: anyone: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (
        an_additional_condition_on_a_denial,
        [f'weaker-denial: anyone: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (
        a_condition_decided_at_deploy_time,
        [f'weaker-denial: anyone: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (
        a_denial_on_a_condition,
        [f'weaker-denial: anyone: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (
        the_denial_moves_to_another_queue,
        [f'weaker-denial: anyone: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
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

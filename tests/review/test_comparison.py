"""Harmless changes, which are a note; and comparisons as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from hello_queue.review.comparison import Comparison, compare, compare_acknowledgments
from tests.review.templates import (
    ACCESS_KEY,
    KEY_SECRET,
    MESSAGING,
    POLICY,
    QUEUE,
    USER,
    Change,
    compare_changes,
    golden,
    properties,
    statement,
    tls_only,
    use_the_queue,
)


def a_longer_delay(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["DelaySeconds"] = 10


def longer_retention(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["MessageRetentionPeriod"] = 1_000_000


def more_receives(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["RedrivePolicy"]["maxReceiveCount"] = 6


def an_action_removed(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Action"].remove("sqs:SendMessage")


def statements_split_and_reordered(identity: Any, messaging: Any) -> None:
    policy = properties(identity, POLICY)["PolicyDocument"]
    (whole,) = policy["Statement"]
    actions = whole["Action"][::-1]
    policy["Statement"] = [{**whole, "Action": actions[:2]}, {**whole, "Action": actions[2:], "Sid": "Two"}]


def an_additional_condition(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Condition"] = {"Bool": {"aws:SecureTransport": "true"}}


def a_policy_that_moves(identity: Any, messaging: Any) -> None:
    """The same rights of the same user: inline, under another name."""
    policy = identity.pop(POLICY)["Properties"]["PolicyDocument"]
    properties(identity, USER)["Policies"] = [{"PolicyName": "inline", "PolicyDocument": policy}]


def an_additional_denial(identity: Any, messaging: Any) -> None:
    tls_only(messaging).append(statement(Effect="Deny", Principal="*", Action="sqs:DeleteQueue"))


def a_denial_without_its_condition(identity: Any, messaging: Any) -> None:
    del tls_only(messaging)[0]["Condition"]


def no_access_key(identity: Any, messaging: Any) -> None:
    del identity[ACCESS_KEY], identity[KEY_SECRET]


def another_description(identity: Any, messaging: Any) -> None:
    properties(identity, KEY_SECRET)["Description"] = "new words"


def a_new_tag(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["Tags"] = [{"Key": "team", "Value": "a"}]


CASES: list[tuple[Change, str]] = [
    (a_longer_delay, "changed in place: AWS::SQS::Queue test: DelaySeconds 5 -> 10"),
    (longer_retention, "changed in place: AWS::SQS::Queue test: MessageRetentionPeriod 345600 -> 1000000"),
    (more_receives, "changed in place: AWS::SQS::Queue test: RedrivePolicy"),
    (an_action_removed, "changed in place: AWS::IAM::ManagedPolicy test-queue-user: PolicyDocument"),
    (
        statements_split_and_reordered,
        "changed in place: AWS::IAM::ManagedPolicy test-queue-user: PolicyDocument",
    ),
    (an_additional_condition, "changed in place: AWS::IAM::ManagedPolicy test-queue-user: PolicyDocument"),
    (a_policy_that_moves, "removed: AWS::IAM::ManagedPolicy test-queue-user"),
    (an_additional_denial, "changed in place: AWS::SQS::QueuePolicy"),
    (a_denial_without_its_condition, "changed in place: AWS::SQS::QueuePolicy"),
    (no_access_key, f"removed: AWS::IAM::AccessKey {ACCESS_KEY}"),
    (another_description, "changed in place: AWS::SecretsManager::Secret Administrator/access-key: Description"),
    (a_new_tag, "changed in place: AWS::SQS::Queue test: Tags"),
]


@pytest.fixture(scope="module")
def comparisons() -> dict[str, Comparison]:
    return compare_changes(change for change, _ in CASES)


@pytest.mark.parametrize(("change", "expected"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_harmless_change_is_a_note(change: Change, expected: str, comparisons: dict[str, Comparison]) -> None:
    findings, notes = comparisons[change.__name__]
    assert findings == []
    assert any(note.text.startswith(expected) for note in notes), notes


def test_nothing_changes() -> None:
    assert compare([(golden(), golden())]) == [([], [])]


def test_an_added_stack() -> None:
    after = golden()
    before = {MESSAGING: after[MESSAGING]}
    ((findings, notes),) = compare([(before, after)])
    kinds = [finding.kind for finding in findings]
    assert kinds == ["escalation"] + ["wider-rights"] * 4 + ["new-member", "new-user", "new-access-key"]
    assert "added: AWS::IAM::User Administrator" in [note.text for note in notes]


def test_acknowledgments() -> None:
    entry = {"finding": "R1", "where": "S/A", "reason": "because"}
    findings, notes = compare_acknowledgments([entry], [entry, {**entry, "where": "S/B"}])
    assert [finding.id for finding in findings] == ["new-acknowledgment: R1 on S/B"]
    assert notes == []
    findings, notes = compare_acknowledgments([entry], [{**entry, "reason": "another reason"}])
    assert findings == []
    assert "another reason" in notes[0].text
    findings, notes = compare_acknowledgments([entry], [])
    assert (findings, len(notes)) == ([], 1)

"""Harmless changes, which are a note; and comparisons as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hello_queue.review.comparison import Comparison, compare
from hello_queue.review.rules_of_guards import acknowledgments
from tests.review.templates import (
    ACCESS_KEY,
    KEY_SECRET,
    MESSAGING,
    POLICY,
    QUEUE,
    QUEUE_POLICY,
    USER,
    WORKERS,
    Change,
    compare_changes,
    golden,
    logical_id,
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


def long_polling(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["ReceiveMessageWaitTimeSeconds"] = 20


def alarm(messaging: Any, name: str) -> Any:
    (found,) = (each["Properties"] for each in messaging.values() if each["Properties"].get("AlarmName") == name)
    return found


def a_stricter_alarm(identity: Any, messaging: Any) -> None:
    alarm(messaging, "test-oldest-message")["Threshold"] = 300


def an_alarm_that_goes_off_sooner(identity: Any, messaging: Any) -> None:
    alarm(messaging, "test-oldest-message")["EvaluationPeriods"] = 1


def missing_data_is_an_alarm(identity: Any, messaging: Any) -> None:
    alarm(messaging, "test-in-flight")["TreatMissingData"] = "breaching"


def another_alarm(identity: Any, messaging: Any) -> None:
    new = {**alarm(messaging, "test-oldest-message"), "AlarmName": "second"}
    messaging["Second"] = {"Type": "AWS::CloudWatch::Alarm", "Properties": new}


def an_alarm_renamed(identity: Any, messaging: Any) -> None:
    alarm(messaging, "test-oldest-message")["AlarmName"] = "too-old"


def another_alarm_description(identity: Any, messaging: Any) -> None:
    alarm(messaging, "test-in-flight")["AlarmDescription"] = "new words"


def another_dashboard(identity: Any, messaging: Any) -> None:
    (dashboard,) = (each for each in messaging.values() if each["Type"] == "AWS::CloudWatch::Dashboard")
    dashboard["Properties"]["DashboardBody"] = '{"widgets": []}'


def no_dashboard(identity: Any, messaging: Any) -> None:
    del messaging[logical_id(MESSAGING, "AWS::CloudWatch::Dashboard")]


def queues_that_are_kept(identity: Any, messaging: Any) -> None:
    messaging[QUEUE]["DeletionPolicy"] = messaging[QUEUE]["UpdateReplacePolicy"] = "Retain"


def a_longer_visibility_timeout(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["VisibilityTimeout"] = 60


def a_boundary(identity: Any, messaging: Any) -> None:
    properties(identity, USER)["PermissionsBoundary"] = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def a_policy_description(identity: Any, messaging: Any) -> None:
    properties(identity, POLICY)["Description"] = "new words"


def an_order_of_creation(identity: Any, messaging: Any) -> None:
    messaging[QUEUE_POLICY]["DependsOn"] = [QUEUE]


def deletion_policies_by_default(identity: Any, messaging: Any) -> None:
    del messaging[QUEUE]["DeletionPolicy"], messaging[QUEUE]["UpdateReplacePolicy"]


def a_query_for_people(identity: Any, messaging: Any) -> None:
    query = {"Name": "errors", "QueryString": "fields @message"}
    messaging["Query"] = {"Type": "AWS::Logs::QueryDefinition", "Properties": query}


def other_logical_ids(identity: Any, messaging: Any) -> None:
    """Of what loses nothing when it is made anew."""
    messaging["Renamed"] = messaging.pop(QUEUE_POLICY)


FUNCTION = logical_id(WORKERS, "AWS::Lambda::Function", "workers=lambda")

CASES: list[tuple[Change, str]] = [
    (long_polling, "changed in place: AWS::SQS::Queue test: ReceiveMessageWaitTimeSeconds none -> 20"),
    (a_stricter_alarm, "changed in place: AWS::CloudWatch::Alarm test-oldest-message: Threshold 600 -> 300"),
    (an_alarm_that_goes_off_sooner, "changed in place: AWS::CloudWatch::Alarm test-oldest-message: EvaluationPeriods"),
    (missing_data_is_an_alarm, "changed in place: AWS::CloudWatch::Alarm test-in-flight: TreatMissingData"),
    (another_alarm, "added: AWS::CloudWatch::Alarm second"),
    (an_alarm_renamed, "REPLACED: AWS::CloudWatch::Alarm too-old: AlarmName test-oldest-message -> too-old"),
    (another_alarm_description, "changed in place: AWS::CloudWatch::Alarm test-in-flight: AlarmDescription"),
    (another_dashboard, "changed in place: AWS::CloudWatch::Dashboard"),
    (no_dashboard, "removed: AWS::CloudWatch::Dashboard"),
    (queues_that_are_kept, "changed in place: AWS::SQS::Queue test: DeletionPolicy Delete -> Retain"),
    (deletion_policies_by_default, "changed in place: AWS::SQS::Queue test: DeletionPolicy Delete -> none"),
    (a_query_for_people, "added: AWS::Logs::QueryDefinition errors"),
    (a_longer_visibility_timeout, "changed in place: AWS::SQS::Queue test: VisibilityTimeout 30 -> 60"),
    (a_boundary, "changed in place: AWS::IAM::User Administrator: PermissionsBoundary"),
    (a_policy_description, "REPLACED: AWS::IAM::ManagedPolicy test-queue-user: Description"),
    (an_order_of_creation, "changed in place: AWS::SQS::QueuePolicy"),
    (other_logical_ids, "REPLACED: AWS::SQS::QueuePolicy Renamed"),
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


def test_outputs_and_descriptions_of_stacks_are_notes() -> None:
    after = golden()
    after[MESSAGING]["Outputs"]["Same"] = {"Value": "x", "Description": "another output"}
    after[MESSAGING]["Description"] = "new words"
    after[MESSAGING]["Outputs"]["QueueUrl"] |= {"Description": "new words", "Export": {"Name": "url"}}
    ((findings, notes),) = compare([(golden(), after)])
    assert findings == []
    assert [note.text for note in notes] == ["changed: description", "changed: output QueueUrl", "added: output Same"]


def test_a_role_with_another_logical_id() -> None:
    """It is the same role wherever something refers to it, and has the same rights."""
    before, role = golden("workers=lambda"), logical_id(WORKERS, "AWS::IAM::Role", "workers=lambda")
    after = {**before, WORKERS: json.loads(json.dumps(before[WORKERS]).replace(role, "Moved"))}
    properties(after[WORKERS]["Resources"], FUNCTION)["Timeout"] = 25
    ((findings, notes),) = compare([(before, after)])
    assert findings == []
    assert "REPLACED: AWS::IAM::Role Moved" in [note.text for note in notes]


def test_nothing_changes() -> None:
    assert compare([(golden(), golden())]) == [([], [])]


def test_an_added_stack() -> None:
    after = golden()
    before = {MESSAGING: after[MESSAGING]}
    ((findings, notes),) = compare([(before, after)])
    kinds = [finding.kind for finding in findings]
    assert kinds == ["escalation"] + ["wider-rights"] * 4 + [
        "new-member",
        "new-user",
        "new-access-key",
        "unknown-effect",
    ]
    assert "added: AWS::IAM::User Administrator" in [note.text for note in notes]


def test_acknowledgments() -> None:
    entry = {"finding": "R1", "where": "S/A", "reason": "because"}
    findings, notes = acknowledgments([entry], [entry, {**entry, "where": "S/B"}])
    assert [finding.id for finding in findings] == ["new-acknowledgment: R1 on S/B"]
    assert notes == []
    findings, notes = acknowledgments([entry], [{**entry, "reason": "another reason"}])
    assert findings == []
    assert "another reason" in notes[0].text
    findings, notes = acknowledgments([entry], [])
    assert (findings, len(notes)) == ([], 1)

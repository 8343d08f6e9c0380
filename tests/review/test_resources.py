"""Findings about queues whose messages are lost, weaker safeguards, and what the templates do not show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hello_queue.review.comparison import Comparison, compare
from tests.review.templates import (
    ARN,
    DEAD_LETTER_QUEUE,
    IDENTITY,
    KEY_SECRET,
    MESSAGING,
    QUEUE,
    Change,
    assert_decisions,
    changed,
    compare_changes,
    finding_ids,
    golden,
    logical_id,
    properties,
    statement,
    tls_only,
    use_the_queue,
)


def a_renamed_queue(identity: Any, messaging: Any) -> None:
    """As the app renames it: wherever it is named. And it no longer refuses plain http."""
    for resources in (identity, messaging):
        text = (
            json.dumps(resources).replace(':test"', ':orders"').replace('"QueueName": "test"', '"QueueName": "orders"')
        )
        resources.update(json.loads(text))
    del tls_only(messaging)[0]


def a_new_logical_id(identity: Any, messaging: Any) -> None:
    text = json.dumps(messaging).replace(f'"{QUEUE}"', '"Queue2"')
    messaging.clear()
    messaging.update(json.loads(text))


def a_fifo_queue(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["FifoQueue"] = True


def shorter_retention(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["MessageRetentionPeriod"] = 60


def no_dead_letter_queue(identity: Any, messaging: Any) -> None:
    del properties(messaging, QUEUE)["RedrivePolicy"]


def fewer_receives(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["RedrivePolicy"]["maxReceiveCount"] = 1


def any_queue_may_use_the_dead_letter_queue(identity: Any, messaging: Any) -> None:
    del properties(messaging, DEAD_LETTER_QUEUE)["RedriveAllowPolicy"]


def another_type(identity: Any, messaging: Any) -> None:
    messaging[QUEUE] = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "topic"}}


def a_nested_stack(identity: Any, messaging: Any) -> None:
    messaging["Nested"] = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x"}}


def a_queue_on_a_condition(identity: Any, messaging: Any) -> None:
    messaging[QUEUE]["Condition"] = "Never"


def encryption_key_is_no_value(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["SqsManagedSseEnabled"] = False
    properties(messaging, QUEUE)["KmsMasterKeyId"] = {"Ref": "AWS::NoValue"}


def redrive_policy_is_no_value(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["RedrivePolicy"] = {"Ref": "AWS::NoValue"}


def a_third_party_resource(identity: Any, messaging: Any) -> None:
    messaging["Thing"] = {"Type": "Evil::Corp::Thing", "Properties": {}}


def another_consumer(identity: Any, messaging: Any) -> None:
    mapping = {"EventSourceArn": {"Fn::GetAtt": [QUEUE, "Arn"]}, "FunctionName": "theirs"}
    messaging["Consumer"] = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping}


def no_encryption(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["SqsManagedSseEnabled"] = False


def a_foreign_key(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["KmsMasterKeyId"] = "arn:aws:kms:us-east-1:999999999999:key/theirs"


def no_visibility_timeout(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["VisibilityTimeout"] = 0


def deduplication(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["ContentBasedDeduplication"] = True


def a_threshold_out_of_reach(identity: Any, messaging: Any) -> None:
    (alarm,) = (each for each in messaging.values() if each["Properties"].get("AlarmName") == "test-in-flight")
    alarm["Properties"]["Threshold"] = 1_000_000_000


def a_second_secret(identity: Any, messaging: Any) -> None:
    identity["Copy"] = json.loads(json.dumps(identity[KEY_SECRET]))
    properties(identity, "Copy")["Name"] = "public/key"


def a_subscription(identity: Any, messaging: Any) -> None:
    spy = {"Protocol": "https", "Endpoint": "https://example.org", "TopicArn": "t"}
    messaging["Spy"] = {"Type": "AWS::SNS::Subscription", "Properties": spy}


def a_loop(identity: Any, messaging: Any) -> None:
    messaging["Fn::ForEach::Queues"] = ["Name", ["a", "b"], {"${Name}": {"Type": "AWS::SQS::Queue"}}]


def no_type(identity: Any, messaging: Any) -> None:
    messaging["Thing"] = {"Properties": {}}


def a_dashboard_that_calls_a_function(identity: Any, messaging: Any) -> None:
    (dashboard,) = (each for each in messaging.values() if each["Type"] == "AWS::CloudWatch::Dashboard")
    widget = {"type": "custom", "properties": {"endpoint": "arn:aws:lambda:us-east-1:999999999999:function:theirs"}}
    dashboard["Properties"]["DashboardBody"] = json.dumps({"widgets": [widget]})


def a_new_dashboard_that_calls_a_function(identity: Any, messaging: Any) -> None:
    body = '{"widgets": [{"type": "c\\u0075stom"}]}'
    messaging["More"] = {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": body}}


def a_tag_that_a_policy_tests(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["Tags"] = [{"Key": "Open", "Value": "yes"}]
    condition = {"StringEquals": {"aws:ResourceTag/open": "no"}}
    tls_only(messaging).append(statement(Effect="Deny", Principal="*", Condition=condition))


DASHBOARD = logical_id(MESSAGING, "AWS::CloudWatch::Dashboard")

CASES: list[tuple[Change, list[str]]] = [
    (
        a_renamed_queue,
        [
            f"weaker-denial: anyone is no longer denied sqs:* on {ARN.replace(':test', ':orders')} "
            "if aws:SecureTransport is false",
            "data-loss: queue test is replaced by orders",
        ],
    ),
    (a_new_logical_id, ["data-loss: queue test is replaced"]),
    (a_fifo_queue, ["data-loss: queue test is replaced"]),
    (shorter_retention, ["data-loss: queue test keeps messages for a shorter time"]),
    (no_dead_letter_queue, ["data-loss: queue test has no dead-letter queue"]),
    (fewer_receives, ["data-loss: queue test moves messages to its dead-letter queue after fewer receives"]),
    (any_queue_may_use_the_dead_letter_queue, ["less-protection: other queues may use test-dlq as dead-letter queue"]),
    (
        another_type,
        [
            "data-loss: queue test is removed",
            f"unknown-effect: HelloQueueMessaging/{QUEUE} is new: AWS::SNS::Topic",
            "less-protection: test-oldest-message watches something else",
            "less-protection: test-in-flight watches something else",
            *(
                f"unlisted-change: output {name} has another value, which scripts and people use"
                for name in ("QueueName", "QueueUrl", "QueueArn")
            ),
        ],
    ),
    (a_nested_stack, ["unknown-effect: HelloQueueMessaging/Nested is new: AWS::CloudFormation::Stack"]),
    (a_queue_on_a_condition, ["data-loss: queue test exists only on a condition"]),
    (encryption_key_is_no_value, ["less-protection: test is no longer encrypted by SQS"]),
    (redrive_policy_is_no_value, ["data-loss: queue test has no dead-letter queue"]),
    (a_third_party_resource, ["unknown-effect: HelloQueueMessaging/Thing is new: Evil::Corp::Thing"]),
    (another_consumer, ["unknown-effect: HelloQueueMessaging/Consumer is new: AWS::Lambda::EventSourceMapping"]),
    (no_encryption, ["less-protection: test is no longer encrypted by SQS"]),
    (a_foreign_key, ["less-protection: test is encrypted with another key"]),
    (no_visibility_timeout, ["data-loss: queue test gives consumers less time for a message"]),
    (deduplication, ["data-loss: queue test takes equal messages for duplicates"]),
    (a_threshold_out_of_reach, ["less-protection: test-in-flight goes off at another threshold"]),
    (a_second_secret, ["unknown-effect: HelloQueueIdentity/Copy is new: AWS::SecretsManager::Secret"]),
    (a_subscription, ["unknown-effect: HelloQueueMessaging/Spy is new: AWS::SNS::Subscription"]),
    (a_loop, ["unknown-effect: HelloQueueMessaging/Fn::ForEach::Queues is new: (not readable)"]),
    (no_type, ["unknown-effect: HelloQueueMessaging/Thing is new: (not readable)"]),
    (
        a_new_dashboard_that_calls_a_function,
        ["unknown-effect: HelloQueueMessaging/More is new: AWS::CloudWatch::Dashboard"],
    ),
    (
        a_tag_that_a_policy_tests,
        ["unknown-effect: test: its tag open changed, which a policy tests: who may do what depends on it"],
    ),
    (a_dashboard_that_calls_a_function, [f"unlisted-change: {DASHBOARD} calls functions to draw itself"]),
]


@pytest.fixture(scope="module")
def comparisons() -> dict[str, Comparison]:
    return compare_changes(change for change, _ in CASES)


@pytest.mark.parametrize(("change", "expected"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_needs_a_decision(change: Change, expected: list[str], comparisons: dict[str, Comparison]) -> None:
    assert_decisions(comparisons[change.__name__], expected)


def test_a_removed_stack() -> None:
    before = golden()
    ((findings, notes),) = compare([(before, {IDENTITY: before[IDENTITY]})])
    assert [finding.id for finding in findings] == [
        "data-loss: queue test-dlq is removed",
        "data-loss: queue test is removed",
        "less-protection: test-dead-letters is removed",
        "less-protection: test-oldest-message is removed",
        "less-protection: test-in-flight is removed",
    ]
    assert "removed: AWS::SQS::Queue test" in [note.text for note in notes]


def test_an_output_with_another_value() -> None:
    """Scripts send messages to the queue that an output names."""
    after = golden()
    after[MESSAGING]["Outputs"]["QueueUrl"]["Value"] = "https://sqs.us-east-1.amazonaws.com/999999999999/theirs"
    expected = "unlisted-change: output QueueUrl has another value, which scripts and people use"
    assert finding_ids(golden(), after) == [expected]


def test_a_queue_that_is_no_longer_retained() -> None:
    before = golden()
    queue = before[MESSAGING]["Resources"][QUEUE]
    queue["DeletionPolicy"] = queue["UpdateReplacePolicy"] = "Retain"
    assert finding_ids(before, golden()) == [
        "data-loss: test is no longer kept (DeletionPolicy)",
        "data-loss: test is no longer kept (UpdateReplacePolicy)",
    ]


def test_a_queue_without_its_own_key() -> None:
    before = changed(lambda _, messaging: properties(messaging, QUEUE).update(KmsMasterKeyId="alias/ours"), golden())
    assert finding_ids(before, golden()) == ["less-protection: test has lost its KMS key"]


def test_less_logging_and_fewer_alarms() -> None:
    before = golden()
    resources = before[MESSAGING]["Resources"]
    resources["Log"] = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "log", "RetentionInDays": 30}}
    resources["Alarm"] = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "alarm"}}

    def change(identity: Any, messaging: Any) -> None:
        messaging["Log"]["Properties"]["RetentionInDays"] = 1
        messaging["Alarm"]["Properties"]["ActionsEnabled"] = False

    assert set(finding_ids(before, changed(change, before))) == {
        "less-protection: log keeps its records for a shorter time",
        "less-protection: alarm is switched off",
    }
    assert set(finding_ids(before, golden())) == {
        "less-protection: log is removed",
        "less-protection: alarm is removed",
    }


def test_a_template_with_a_transform() -> None:
    after = golden()
    after[MESSAGING]["Transform"] = "Evil"
    after[IDENTITY]["Resources"]["X"] = {"Type": "AWS::SNS::Topic", "Properties": {"Fn::Transform": {}}}
    assert finding_ids(golden(), after) == [
        "unknown-effect: HelloQueueIdentity/X is new: AWS::SNS::Topic",
        "unknown-effect: HelloQueueIdentity: Fn::Transform rewrites the template at deploy time",
        "unknown-effect: HelloQueueMessaging: Transform changed, which decides at deploy time what is created",
    ]


def test_a_statement_without_an_effect() -> None:
    """Nobody knows what it does, even if the user is an administrator to whom no right is new."""
    after = golden()
    del use_the_queue(after[IDENTITY]["Resources"])["Effect"]
    assert finding_ids(golden(), after) == ["unknown-effect: test-queue-user has a policy that cannot be read"]

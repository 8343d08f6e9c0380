"""What the messaging stack declares."""

from __future__ import annotations

from tests.conftest import Synth
from tests.stacks.templates import arn_of, queues, resources


def test_the_tutorials_queue(synth: Synth) -> None:
    queue, _ = queues(synth()["HelloQueueMessaging"])
    assert queue["QueueName"] == "test"
    assert queue["DelaySeconds"] == 5
    assert queue["VisibilityTimeout"] == 30
    assert queue["MessageRetentionPeriod"] == 345_600
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5


def test_the_dead_letter_queue_takes_from_this_queue_alone(synth: Synth) -> None:
    _, dead_letter_queue = queues(synth()["HelloQueueMessaging"])
    assert dead_letter_queue["QueueName"] == "test-dlq"
    assert dead_letter_queue["MessageRetentionPeriod"] == 1_209_600
    assert "DelaySeconds" not in dead_letter_queue
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [arn_of("test")]}
    assert dead_letter_queue["RedriveAllowPolicy"] == allowed


def test_both_queues_are_encrypted_and_deny_plain_http(synth: Synth) -> None:
    template = synth()["HelloQueueMessaging"]
    for queue in queues(template):
        assert queue["SqsManagedSseEnabled"] is True
    covered = []
    for policy in resources(template, "AWS::SQS::QueuePolicy"):
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Principal"] == {"AWS": "*"}
        assert statement["Action"] == "sqs:*"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        covered += [queue["Ref"] for queue in policy["Queues"]]
    declared = [name for name, each in template["Resources"].items() if each["Type"] == "AWS::SQS::Queue"]
    assert sorted(covered) == sorted(declared)

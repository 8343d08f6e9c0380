"""The messaging stack: the queue, its dead-letter queue, and keeping both."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import Stack

import app
from tests.conftest import DEFAULTS, Aws, Synth
from tests.stacks.templates import IDENTITY, MESSAGING, WORKERS, arn_of, queues, resources


def test_the_tutorials_queue(synth: Synth) -> None:
    queue, _ = queues(synth()[MESSAGING])
    assert queue["QueueName"] == "test"
    assert queue["DelaySeconds"] == 5
    assert queue["VisibilityTimeout"] == 30
    assert queue["MessageRetentionPeriod"] == 345_600
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5


def test_the_dead_letter_queue_accepts_messages_of_this_queue_only(synth: Synth) -> None:
    _, dead_letter_queue = queues(synth()[MESSAGING])
    assert dead_letter_queue["QueueName"] == "test-dlq"
    assert dead_letter_queue["MessageRetentionPeriod"] == 1_209_600
    assert "DelaySeconds" not in dead_letter_queue
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [arn_of("test")]}
    assert dead_letter_queue["RedriveAllowPolicy"] == allowed


def test_both_queues_are_encrypted_and_deny_plain_http(synth: Synth) -> None:
    template = synth()[MESSAGING]
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


@pytest.mark.parametrize(("keep_data", "policy"), [("false", "Delete"), ("true", "Retain")])
def test_keep_data_retains_both_queues(synth: Synth, keep_data: str, policy: str) -> None:
    template = synth(keep_data=keep_data)[MESSAGING]
    policies = [
        (each["DeletionPolicy"], each["UpdateReplacePolicy"])
        for each in template["Resources"].values()
        if each["Type"] == "AWS::SQS::Queue"
    ]
    assert policies == [(policy, policy)] * 2


@pytest.mark.parametrize("keep_data", [False, True])
def test_keep_data_protects_the_messaging_stack_only(keep_data: bool) -> None:
    built = app.build(context={**DEFAULTS, "keep_data": keep_data})
    protected = {each.node.id: each.termination_protection for each in built.node.children if isinstance(each, Stack)}
    assert protected == {MESSAGING: keep_data, IDENTITY: False, WORKERS: False}


def test_kept_queues_survive_their_replacement_and_the_end_of_their_stack(aws: Aws) -> None:
    """Without termination protection, which CloudFormation's API does not take from the templates."""
    sqs = aws.client("sqs")
    settings = {"deployment": "kept", "keep_data": "true", "delay_seconds": "0"}
    with aws.deployed(**settings):
        first = sqs.get_queue_url(QueueName="kept-test")["QueueUrl"]
        sqs.send_message(QueueUrl=first, MessageBody="precious")
        aws.deploy(**settings, queue_name="other")
        assert sqs.get_queue_url(QueueName="kept-other")["QueueUrl"]
    urls = [
        sqs.get_queue_url(QueueName=f"kept-{name}")["QueueUrl"] for name in ("other", "other-dlq", "test", "test-dlq")
    ]
    (message,) = sqs.receive_message(QueueUrl=first)["Messages"]
    assert message["Body"] == "precious"
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def test_destroy_is_refused_until_a_deploy_without_keep_data(aws: Aws) -> None:
    settings: dict[str, Any] = {"deployment": "safe", "administrator_access": "false", "access_key": "0"}
    sqs = aws.client("sqs")
    aws.cdk("deploy", **settings, keep_data="true")
    destroyed = aws.cdk("destroy", check=False, **settings, keep_data="true")
    assert destroyed.returncode == 1
    assert "TerminationProtection" in destroyed.stdout + destroyed.stderr
    assert sqs.get_queue_url(QueueName="safe-test")
    aws.cdk("deploy", **settings)
    aws.destroy(**settings)
    assert sqs.list_queues(QueueNamePrefix="safe-").get("QueueUrls", []) == []

"""What the stacks declare: properties that must hold, whatever the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest

import app
from stacks.settings import Settings
from tests.conftest import Synth, Template

Resource = Mapping[str, Any]


def resources(template: Template, kind: str) -> list[Resource]:
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def only(template: Template, kind: str) -> Resource:
    (found,) = resources(template, kind)
    return found


def queues(template: Template) -> tuple[Resource, Resource]:
    """The queue and the dead-letter queue."""
    queue, dead_letter_queue = sorted(resources(template, "AWS::SQS::Queue"), key=lambda each: each["QueueName"])
    return queue, dead_letter_queue


def arn_of(queue_name: str) -> dict[str, Any]:
    parts = ["arn:", {"Ref": "AWS::Partition"}, ":sqs:", {"Ref": "AWS::Region"}, ":", {"Ref": "AWS::AccountId"}]
    return {"Fn::Join": ["", [*parts, f":{queue_name}"]]}


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


def test_the_user_is_in_the_group_that_has_administrator_access(synth: Synth) -> None:
    template = synth()["HelloQueueIdentity"]
    group = only(template, "AWS::IAM::Group")
    assert group["GroupName"] == "Administrators"
    assert str(group["ManagedPolicyArns"]).count("AdministratorAccess") == 1
    user = only(template, "AWS::IAM::User")
    assert user["UserName"] == "Administrator"
    (membership,) = user["Groups"]
    assert template["Resources"][membership["Ref"]]["Type"] == "AWS::IAM::Group"


def test_without_administrator_access_it_is_nowhere(synth: Synth) -> None:
    template = synth(administrator_access="false")["HelloQueueIdentity"]
    assert "AdministratorAccess" not in str(template)
    assert not resources(template, "AWS::IAM::Group")
    assert "Groups" not in only(template, "AWS::IAM::User")


@pytest.mark.parametrize("administrator_access", ["true", "false"])
def test_the_users_policy_is_the_scripts_calls_on_the_queue(synth: Synth, administrator_access: str) -> None:
    template = synth(administrator_access=administrator_access)["HelloQueueIdentity"]
    policy = only(template, "AWS::IAM::ManagedPolicy")
    (statement,) = policy["PolicyDocument"]["Statement"]
    calls = ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl"]
    calls += ["ReceiveMessage", "SendMessage"]
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == [f"sqs:{call}" for call in calls]
    assert statement["Resource"] == arn_of("test")
    (attached,) = policy["Users"]
    assert template["Resources"][attached["Ref"]]["Type"] == "AWS::IAM::User"


def test_every_name_of_another_deployment_is_its_own(synth: Synth) -> None:
    def names(templates: dict[str, Template]) -> set[str]:
        properties = [each["Properties"] for template in templates.values() for each in template["Resources"].values()]
        named = ("QueueName", "GroupName", "UserName", "ManagedPolicyName")
        return {each[name] for each in properties for name in named if name in each} | set(templates)

    ours, theirs = names(synth()), names(synth(deployment="staging"))
    assert theirs == {f"staging-{name}" for name in ours}


def test_every_output_is_described(synth: Synth) -> None:
    for template in synth().values():
        assert template["Outputs"]
        assert all(output["Description"] for output in template["Outputs"].values())


def test_the_templates_are_free_of_noise(synth: Synth) -> None:
    for template in synth().values():
        assert set(template) == {"Description", "Resources", "Outputs"}
        assert all("Metadata" not in resource for resource in template["Resources"].values())


def test_both_stacks_are_tagged() -> None:
    built = app.build(context={"deployment": "staging"})
    tags = {each.node.id: each.tags.tag_values() for each in built.node.children if isinstance(each, cdk.Stack)}
    expected = {"Project": "hello-queue", "Deployment": "staging"}
    assert tags == {"staging-HelloQueueMessaging": expected, "staging-HelloQueueIdentity": expected}


def test_settings_reach_the_templates(synth: Synth) -> None:
    values = {
        "delay_seconds": 10,
        "visibility_timeout_seconds": 60,
        "retention_seconds": 3_600,
        "max_receive_count": 3,
        "queue_name": "orders",
        "user_name": "Ada",
        "group_name": "Admins",
    }
    templates = synth(**values)
    queue, dead_letter_queue = queues(templates["HelloQueueMessaging"])
    assert queue["DelaySeconds"] == 10
    assert queue["VisibilityTimeout"] == 60
    assert queue["MessageRetentionPeriod"] == 3_600
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 3
    assert (queue["QueueName"], dead_letter_queue["QueueName"]) == ("orders", "orders-dlq")
    assert only(templates["HelloQueueIdentity"], "AWS::IAM::User")["UserName"] == "Ada"
    assert only(templates["HelloQueueIdentity"], "AWS::IAM::Group")["GroupName"] == "Admins"
    assert set(values) <= set(Settings.__dataclass_fields__)

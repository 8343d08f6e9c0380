"""What holds for all templates, whatever the settings."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
import pytest

import app
from stacks.settings import Settings
from tests.conftest import Synth, Template
from tests.stacks.templates import EVERYTHING_ON, only, queues, resources, walk


@pytest.mark.parametrize("settings", [{}, {"access_key": "0"}, EVERYTHING_ON], ids=str)
def test_secrets_are_where_they_belong_and_nowhere_else(synth: Synth, settings: dict[str, str]) -> None:
    """An access key's secret goes into a secret's SecretString, the password into the login profile: no other property,
    output or parameter mentions either, and neither is ever there in clear."""
    for template in synth(**settings).values():
        assert "Parameters" not in template
        for path, value in walk(template):
            where = path.split("/")
            at_home = template["Resources"].get(where[2] if len(where) > 2 else "", {}).get("Type"), where[4:5]
            if isinstance(value, Mapping) and "SecretAccessKey" in str(value.get("Fn::GetAtt", "")):
                assert at_home == ("AWS::SecretsManager::Secret", ["SecretString"]), path
            if isinstance(value, str) and "{{resolve:" in value:
                assert at_home == ("AWS::IAM::User", ["LoginProfile"]), path
        assert "{{resolve:" not in str(template["Outputs"])
        for secret in resources(template, "AWS::SecretsManager::Secret"):
            assert isinstance(secret.get("SecretString", {}), Mapping), "a literal secret"


def test_every_name_of_another_deployment_is_its_own(synth: Synth) -> None:
    def names(templates: dict[str, Template]) -> set[str]:
        properties = [each["Properties"] for template in templates.values() for each in template["Resources"].values()]
        named = (
            "QueueName",
            "GroupName",
            "UserName",
            "ManagedPolicyName",
            "Name",
            "AlarmName",
            "DashboardName",
            "TopicName",
        )
        found = {each[name] for each in properties for name in named if isinstance(each.get(name), str)}
        return found | set(templates)

    ours, theirs = names(synth(**EVERYTHING_ON)), names(synth(deployment="staging", **EVERYTHING_ON))
    assert "Administrator/console-password" in ours
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

"""What all templates have in common, and where each setting goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest

import app
from stacks.settings import FIELDS
from tests.conftest import Synth, Template
from tests.stacks.templates import EVERYTHING_ON, IDENTITY, MESSAGING, WORKERS, only, queues, resources, walk


def nonempty(templates: dict[str, Template]) -> dict[str, Template]:
    """Those that the CDK deploys: not that of the workers, with workers=none."""
    return {name: template for name, template in templates.items() if "Resources" in template}


@pytest.mark.parametrize("settings", [{}, {"access_key": "0"}, EVERYTHING_ON], ids=str)
def test_secrets_are_where_they_belong_and_nowhere_else(synth: Synth, settings: dict[str, str]) -> None:
    """An access key's secret is in a secret's SecretString, the password in the login profile. No other property,
    output or parameter refers to either, and neither is ever in plain text."""
    for template in nonempty(synth(**settings)).values():
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


def test_deployments_share_no_names(synth: Synth) -> None:
    def names(templates: dict[str, Template]) -> set[str]:
        properties = [
            each["Properties"] for template in nonempty(templates).values() for each in template["Resources"].values()
        ]
        named = (
            "QueueName",
            "GroupName",
            "UserName",
            "ManagedPolicyName",
            "Name",
            "AlarmName",
            "DashboardName",
            "TopicName",
            "FunctionName",
        )
        found = {each[name] for each in properties for name in named if isinstance(each.get(name), str)}
        return found | set(templates)

    ours, theirs = names(synth(**EVERYTHING_ON)), names(synth(deployment="staging", **EVERYTHING_ON))
    assert "Administrator/console-password" in ours
    assert theirs == {f"staging-{name}" for name in ours}


def test_every_output_is_described(synth: Synth) -> None:
    for template in nonempty(synth(**EVERYTHING_ON)).values():
        assert template["Outputs"]
        assert all(output["Description"] for output in template["Outputs"].values())


def test_the_templates_are_free_of_noise(synth: Synth) -> None:
    for template in nonempty(synth(**EVERYTHING_ON)).values():
        assert set(template) == {"Description", "Resources", "Outputs"}
        assert all("Metadata" not in resource for resource in template["Resources"].values())


def test_all_stacks_are_tagged() -> None:
    built = app.build(context={"deployment": "staging"})
    tags = {each.node.id: each.tags.tag_values() for each in built.node.children if isinstance(each, cdk.Stack)}
    expected = {"Project": "hello-queue", "Deployment": "staging"}
    assert tags == {f"staging-{name}": expected for name in (MESSAGING, IDENTITY, WORKERS)}


def test_every_setting_reaches_the_templates(synth: Synth) -> None:
    """Each setting has a value that differs from its default; each value is looked up where AWS reads it."""
    values: dict[str, Any] = {
        "deployment": "staging",
        "group_name": "Admins",
        "user_name": "Ada",
        "administrator_access": True,  # see test_identity for its other value, and test_fifo_queues for fifo's
        "access_key": 3,
        "second_access_key": 4,
        "console_access": True,
        "password_reset_required": False,
        "queue_name": "orders",
        "fifo": False,
        "content_based_deduplication": False,
        "delay_seconds": 10,
        "visibility_timeout_seconds": 60,
        "retention_seconds": 3_600,
        "max_receive_count": 3,
        "keep_data": True,
        "alarm_dead_letters": 11,
        "alarm_age_seconds": 61,
        "alarm_in_flight": 12,
        "alarm_email": "alarms@example.com",
        "workers": "lambda",
        "worker_handler": "orders.eu:book",
        "worker_folder": "tests/stacks/handlers",
        "worker_timeout_seconds": 7,
        "worker_memory_mb": 256,
        "worker_concurrency": 10,
        "worker_pollers_min": 3,
        "worker_pollers_max": 14,
        "worker_batch_size": 8,
        "worker_batch_window_seconds": 9,
    }
    assert values.keys() == FIELDS.keys()
    templates = synth(**values)
    messaging, identity, workers = (templates[f"staging-{name}"] for name in (MESSAGING, IDENTITY, WORKERS))
    queue, dead_letter_queue = queues(messaging)
    assert (queue["QueueName"], dead_letter_queue["QueueName"]) == ("staging-orders", "staging-orders-dlq")
    assert queue["DelaySeconds"] == 10
    assert queue["VisibilityTimeout"] == 60
    assert queue["MessageRetentionPeriod"] == 3_600
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 3
    thresholds = {each["MetricName"]: each["Threshold"] for each in resources(messaging, "AWS::CloudWatch::Alarm")}
    assert thresholds == {
        "ApproximateNumberOfMessagesVisible": 11,
        "ApproximateAgeOfOldestMessage": 61,
        "ApproximateNumberOfMessagesNotVisible": 12,
    }
    assert only(messaging, "AWS::SNS::Subscription")["Endpoint"] == "alarms@example.com"
    user = only(identity, "AWS::IAM::User")
    assert user["UserName"] == "staging-Ada"
    assert user["LoginProfile"]["PasswordResetRequired"] is False
    assert only(identity, "AWS::IAM::Group")["GroupName"] == "staging-Admins"
    assert sorted(name[:10] for name in identity["Resources"] if name.startswith("AccessKey")) == [
        *("AccessKey3", "AccessKey4", "AccessKeyS")
    ]
    function, mapping = only(workers, "AWS::Lambda::Function"), only(workers, "AWS::Lambda::EventSourceMapping")
    assert function["Environment"]["Variables"] == {"HANDLER": "orders.eu:book"}
    assert (function["Timeout"], function["MemorySize"]) == (7, 256)
    assert mapping["ProvisionedPollerConfig"] == {"MinimumPollers": 3, "MaximumPollers": 14}
    assert "ScalingConfig" not in mapping
    other = only(synth(workers="lambda", worker_concurrency=13)[WORKERS], "AWS::Lambda::EventSourceMapping")
    assert other["ScalingConfig"] == {"MaximumConcurrency": 13}
    assert "ProvisionedPollerConfig" not in other
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (8, 9)
    assert all(each["AlarmActions"] for each in resources(workers, "AWS::CloudWatch::Alarm"))


def test_fifo_queues(synth: Synth) -> None:
    for queue in queues(synth(fifo="true", content_based_deduplication="true")[MESSAGING]):
        assert queue["FifoQueue"] is True
        assert queue["QueueName"].endswith(".fifo")
    queue, _ = queues(synth(fifo="true", content_based_deduplication="true")[MESSAGING])
    assert queue["ContentBasedDeduplication"] is True
    assert "ContentBasedDeduplication" not in queues(synth(fifo="true")[MESSAGING])[0]
    assert "FifoQueue" not in str(synth()[MESSAGING])

"""What the stacks declare: properties that must hold, whatever the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
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
    assert policy["ManagedPolicyName"] == "test-queue-user"
    (statement,) = policy["PolicyDocument"]["Statement"]
    calls = ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl"]
    calls += ["ReceiveMessage", "SendMessage"]
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == [f"sqs:{call}" for call in calls]
    assert statement["Resource"] == arn_of("test")
    (attached,) = policy["Users"]
    assert template["Resources"][attached["Ref"]]["Type"] == "AWS::IAM::User"


EVERYTHING_ON = {"console_access": "true", "second_access_key": "2"}
"""The settings that bring the most secrets."""


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a template, with the path to it."""
    yield path, value
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from walk(each, f"{path}/{key}")


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


def test_the_access_key_is_in_one_secret_as_json(synth: Synth) -> None:
    template = synth()["HelloQueueIdentity"]
    (key,) = (name for name, each in template["Resources"].items() if each["Type"] == "AWS::IAM::AccessKey")
    secret = only(template, "AWS::SecretsManager::Secret")
    assert secret["Name"] == "Administrator/access-key"
    values = {"Ref": "id", "Fn::GetAtt": "secret"}
    parts = [
        part if isinstance(part, str) else values[next(iter(part))] for part in secret["SecretString"]["Fn::Join"][1]
    ]
    assert json.loads("".join(parts)) == {"AccessKeyId": "id", "SecretAccessKey": "secret"}
    assert str(secret["SecretString"]).count(key) == 2


def current_key(template: Template) -> str:
    (secret,) = (each for each in resources(template, "AWS::SecretsManager::Secret") if "SecretString" in each)
    number: str
    (number,) = set(re.findall("AccessKey([12])", str(secret["SecretString"])))
    return number


def keys(template: Template) -> set[str]:
    return {name[:10] for name, each in template["Resources"].items() if each["Type"] == "AWS::IAM::AccessKey"}


def test_the_three_deploys_of_a_rotation(synth: Synth) -> None:
    steps = [
        ({}, {"AccessKey1"}, "1"),
        ({"second_access_key": "2"}, {"AccessKey1", "AccessKey2"}, "1"),
        ({"access_key": "2", "second_access_key": "1"}, {"AccessKey1", "AccessKey2"}, "2"),
        ({"access_key": "2"}, {"AccessKey2"}, "2"),
    ]
    for settings, there, current in steps:
        template = synth(**settings)["HelloQueueIdentity"]
        assert keys(template) == there
        assert current_key(template) == current


def test_no_access_key(synth: Synth) -> None:
    template = synth(access_key="0")["HelloQueueIdentity"]
    assert not keys(template)
    assert "Secret" not in str(template)


def test_the_console_is_off(synth: Synth) -> None:
    template = synth()["HelloQueueIdentity"]
    assert "LoginProfile" not in str(template)
    assert "Console" not in str(template)


@pytest.mark.parametrize("reset", ["true", "false"])
def test_the_console_comes_with_mfa(synth: Synth, reset: str) -> None:
    template = synth(console_access="true", password_reset_required=reset)["HelloQueueIdentity"]
    user = only(template, "AWS::IAM::User")
    assert user["LoginProfile"]["PasswordResetRequired"] is (reset == "true")
    (attached,) = user["ManagedPolicyArns"]
    *allows, deny = template["Resources"][attached["Ref"]]["Properties"]["PolicyDocument"]["Statement"]
    assert deny["Effect"] == "Deny"
    assert deny["Resource"] == "*"
    # Bool, not BoolIfExists: a request by the access key has no such key, and must go through.
    assert deny["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    assert ("iam:ChangePassword" in deny["NotAction"]) is (reset == "true")
    allowed = [allow["Action"] for allow in allows]
    assert sorted(deny["NotAction"]) == sorted(
        action for actions in allowed for action in ([actions] if isinstance(actions, str) else actions)
    )


def test_every_name_of_another_deployment_is_its_own(synth: Synth) -> None:
    def names(templates: dict[str, Template]) -> set[str]:
        properties = [each["Properties"] for template in templates.values() for each in template["Resources"].values()]
        named = ("QueueName", "GroupName", "UserName", "ManagedPolicyName", "Name")
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

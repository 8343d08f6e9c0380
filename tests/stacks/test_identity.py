"""The identity stack: the group, the user, the policies and the access keys."""

from __future__ import annotations

import json
import re

import pytest

from hello_queue.constants import DEAD_LETTER_ACTIONS
from tests.conftest import Synth, Template
from tests.stacks.templates import IDENTITY, arn_of, only, resources


def test_the_user_is_in_the_group_that_has_administrator_access(synth: Synth) -> None:
    template = synth()[IDENTITY]
    group = only(template, "AWS::IAM::Group")
    assert group["GroupName"] == "Administrators"
    assert str(group["ManagedPolicyArns"]).count("AdministratorAccess") == 1
    user = only(template, "AWS::IAM::User")
    assert user["UserName"] == "Administrator"
    (membership,) = user["Groups"]
    assert template["Resources"][membership["Ref"]]["Type"] == "AWS::IAM::Group"


def test_without_administrator_access_there_is_no_group(synth: Synth) -> None:
    template = synth(administrator_access="false")[IDENTITY]
    assert "AdministratorAccess" not in str(template)
    assert not resources(template, "AWS::IAM::Group")
    assert "Groups" not in only(template, "AWS::IAM::User")


@pytest.mark.parametrize("administrator_access", ["true", "false"])
def test_the_users_policy_allows_what_the_scripts_call_on_the_queue(synth: Synth, administrator_access: str) -> None:
    template = synth(administrator_access=administrator_access)[IDENTITY]
    (policy,) = [each for each in resources(template, "AWS::IAM::ManagedPolicy") if each.get("Users")]
    assert policy["ManagedPolicyName"] == "test-queue-user"
    (statement,) = policy["PolicyDocument"]["Statement"]
    calls = ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl"]
    calls += ["ReceiveMessage", "SendMessage"]
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == [f"sqs:{call}" for call in calls]
    assert statement["Resource"] == arn_of("test")
    (attached,) = policy["Users"]
    assert template["Resources"][attached["Ref"]]["Type"] == "AWS::IAM::User"


def test_the_access_key_is_in_one_secret_as_json(synth: Synth) -> None:
    template = synth()[IDENTITY]
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
        template = synth(**settings)[IDENTITY]
        assert keys(template) == there
        assert current_key(template) == current


def test_the_operator_policy_is_attached_to_nobody(synth: Synth) -> None:
    template = synth()[IDENTITY]
    (policy,) = [
        each for each in resources(template, "AWS::IAM::ManagedPolicy") if each["ManagedPolicyName"] == "test-operator"
    ]
    assert not {"Users", "Groups", "Roles"} & set(policy)
    by_resource = {str(each["Resource"]): each["Action"] for each in policy["PolicyDocument"]["Statement"]}
    assert set(by_resource) == {str(arn_of("test")), str(arn_of("test-dlq")), "*"}
    assert sorted(by_resource[str(arn_of("test"))]) == ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"]
    assert by_resource[str(arn_of("test-dlq"))] == sorted(DEAD_LETTER_ACTIONS)
    assert by_resource["*"] == ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricStatistics"]


def test_no_access_key(synth: Synth) -> None:
    template = synth(access_key="0")[IDENTITY]
    assert not keys(template)
    assert "Secret" not in str(template)

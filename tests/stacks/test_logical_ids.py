"""The logical ids that deployed stacks have must not change.

For CloudFormation, a resource with another logical id is another resource. A queue, a user or an access key would be
replaced, and with it its messages or whatever uses it; and because the new resource has the name of the old one, the
deploy fails before that.
"""

from __future__ import annotations

import pytest

from tests.conftest import Synth
from tests.stacks.templates import EVERYTHING_ON, IDENTITY, MESSAGING, WORKERS, resources

NAMED_OR_STATEFUL = {
    MESSAGING: {
        "Queue4A7E3555": "AWS::SQS::Queue",
        "DeadLetterQueue9F481546": "AWS::SQS::Queue",
        "DeadLettersAlarm3F8DE0AC": "AWS::CloudWatch::Alarm",
        "OldestMessageAlarm96719BF1": "AWS::CloudWatch::Alarm",
        "InFlightAlarm2C265B94": "AWS::CloudWatch::Alarm",
        "Alarms04B5A0BF": "AWS::SNS::Topic",
        "AlarmKeyE05DE300": "AWS::KMS::Key",
        "Dashboard9E4231ED": "AWS::CloudWatch::Dashboard",
    },
    IDENTITY: {
        "User00B015A1": "AWS::IAM::User",
        "AdministratorsA37EF73A": "AWS::IAM::Group",
        "AccessKey1208A5092": "AWS::IAM::AccessKey",
        "AccessKey2925E1A85": "AWS::IAM::AccessKey",
        "AccessKeySecret3B8AA135": "AWS::SecretsManager::Secret",
        "ConsolePasswordSecretBDED0F3F": "AWS::SecretsManager::Secret",
        "QueueUserPolicy770E3B54": "AWS::IAM::ManagedPolicy",
        "OperatorPolicy63C1EB6F": "AWS::IAM::ManagedPolicy",
        "RequireMfaPolicyE7CF471E": "AWS::IAM::ManagedPolicy",
    },
    WORKERS: {
        "Log95422804": "AWS::Logs::LogGroup",
        "Function76856677": "AWS::Lambda::Function",
        "FromTheQueueA074B2A5": "AWS::Lambda::EventSourceMapping",
        "ErrorsAlarm39B3548B": "AWS::CloudWatch::Alarm",
        "ThrottlesAlarmE43723A6": "AWS::CloudWatch::Alarm",
    },
}
WITHOUT_NAME_AND_STATE = {
    *("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::SNS::Subscription"),
    *("AWS::IAM::Role", "AWS::IAM::Policy"),
}


@pytest.mark.parametrize("stack", NAMED_OR_STATEFUL)
def test_logical_ids_are_fixed(synth: Synth, stack: str) -> None:
    template = synth(**EVERYTHING_ON)[stack]
    found = {
        logical_id: resource["Type"]
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] not in WITHOUT_NAME_AND_STATE
    }
    assert found == NAMED_OR_STATEFUL[stack]


def test_the_descriptions_of_managed_policies_are_fixed(synth: Synth) -> None:
    """IAM cannot change a policy's description, and CloudFormation cannot replace a policy with a fixed name."""
    policies = resources(synth(**EVERYTHING_ON)[IDENTITY], "AWS::IAM::ManagedPolicy")
    assert {each["ManagedPolicyName"]: each["Description"] for each in policies} == {
        "test-queue-user": "",
        "test-operator": "Look into the queue and its dead-letter queue, and move messages back",
        "Administrator-require-mfa": "",
    }

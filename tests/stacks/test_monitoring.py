"""The alarms, their e-mail topic and the dashboard."""

from __future__ import annotations

import json
from typing import Any

from hello_queue.constants import ALARM_ENDINGS
from tests.conftest import Aws, Synth, Template
from tests.stacks.templates import MESSAGING, only, resources


def alarm(template: Template, name: str) -> dict[str, Any]:
    (found,) = [each for each in resources(template, "AWS::CloudWatch::Alarm") if each["AlarmName"] == name]
    return dict(found)


def test_the_alarm_on_dead_letters(synth: Synth) -> None:
    template = synth()[MESSAGING]
    found = alarm(template, "test-dead-letters")
    assert found["MetricName"] == "ApproximateNumberOfMessagesVisible"
    (dimension,) = found["Dimensions"]
    watched = template["Resources"][dimension["Value"]["Fn::GetAtt"][0]]["Properties"]
    assert watched["QueueName"] == "test-dlq"
    assert (found["Threshold"], found["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
    assert (found["Statistic"], found["Period"], found["TreatMissingData"]) == ("Maximum", 60, "ignore")


def test_the_alarms_on_the_oldest_message_and_on_messages_in_flight(synth: Synth) -> None:
    template = synth(alarm_age_seconds="60", alarm_in_flight="7", alarm_dead_letters="3")[MESSAGING]
    oldest, in_flight = alarm(template, "test-oldest-message"), alarm(template, "test-in-flight")
    assert (oldest["MetricName"], oldest["Threshold"]) == ("ApproximateAgeOfOldestMessage", 60)
    assert oldest["TreatMissingData"] == "ignore"
    assert (in_flight["MetricName"], in_flight["Threshold"]) == ("ApproximateNumberOfMessagesNotVisible", 7)
    assert in_flight["TreatMissingData"] == "notBreaching"
    assert alarm(template, "test-dead-letters")["Threshold"] == 3
    for each in (oldest, in_flight):
        (dimension,) = each["Dimensions"]
        assert template["Resources"][dimension["Value"]["Fn::GetAtt"][0]]["Properties"]["QueueName"] == "test"


def test_status_shows_all_alarms_of_the_queue(synth: Synth) -> None:
    alarms = resources(synth()[MESSAGING], "AWS::CloudWatch::Alarm")
    assert {each["AlarmName"] for each in alarms} == {f"test{ending}" for ending in ALARM_ENDINGS}


def test_without_an_address_alarms_notify_nobody(synth: Synth) -> None:
    template = synth()[MESSAGING]
    assert not resources(template, "AWS::SNS::Topic")
    assert all("AlarmActions" not in each for each in resources(template, "AWS::CloudWatch::Alarm"))


def test_the_email_topic_is_encrypted_and_tls_only(synth: Synth) -> None:
    template = synth(alarm_email="alarms@example.com")[MESSAGING]
    topic = only(template, "AWS::SNS::Topic")
    key = only(template, "AWS::KMS::Key")
    assert "KmsMasterKeyId" in topic
    assert key["EnableKeyRotation"] is True
    subscription = only(template, "AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "alarms@example.com")
    statements = only(template, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    (denied,) = [each for each in statements if each["Effect"] == "Deny"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    for policy in (statements, key["KeyPolicy"]["Statement"]):
        (allowed,) = [each for each in policy if each.get("Principal") == {"Service": "cloudwatch.amazonaws.com"}]
        assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    for each in resources(template, "AWS::CloudWatch::Alarm"):
        assert each["AlarmActions"] == each["OKActions"] == [{"Ref": next(_ids(template, "AWS::SNS::Topic"))}]


def _ids(template: Template, resource_type: str) -> Any:
    return (name for name, each in template["Resources"].items() if each["Type"] == resource_type)


def test_the_deployed_alarms_and_dashboard(aws: Aws) -> None:
    cloudwatch = aws.client("cloudwatch")
    names = {each["AlarmName"] for each in cloudwatch.describe_alarms()["MetricAlarms"]}
    assert {"test-dead-letters", "test-oldest-message", "test-in-flight"} <= names
    body = json.loads(cloudwatch.get_dashboard(DashboardName="test")["DashboardBody"])
    titles = [widget["properties"]["title"] for widget in body["widgets"]]
    assert titles[0] == "Alarms"
    assert [title.split("?")[0] for title in titles[1:]] == [
        "Is it flowing",
        "Is it keeping up",
        "Is anything stuck",
        "Do quiet groups wait",
        "Whose messages wait",
        "How many groups are noisy",
    ]
    shown = {metric[1] for widget in body["widgets"][1:] for metric in widget["properties"]["metrics"]}
    assert {
        "ApproximateNumberOfNoisyGroups",
        "ApproximateNumberOfMessagesVisibleInQuietGroups",
        "ApproximateAgeOfOldestMessageInQuietGroups",
    } <= shown
    for widget in body["widgets"][1:]:
        for metric in widget["properties"]["metrics"]:
            assert metric[3] in ("test", "test-dlq"), "the deployed names, not references"


def test_a_fifo_queue_is_no_fair_queue(synth: Synth) -> None:
    assert "InQuietGroups" in str(only(synth()[MESSAGING], "AWS::CloudWatch::Dashboard"))
    assert "QuietGroups" not in str(only(synth(fifo="true")[MESSAGING], "AWS::CloudWatch::Dashboard"))


def test_the_email_topic_comes_and_goes_with_the_stack(aws: Aws) -> None:
    sns = aws.client("sns")
    with aws.deployed(deployment="mail", alarm_email="alarms@example.com"):
        topics = sns.list_topics()["Topics"]
        assert [each["TopicArn"].rpartition(":")[2] for each in topics] == ["mail-test-alarms"]
    assert sns.list_topics()["Topics"] == []
    names = [each["AlarmName"] for each in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]]
    assert not [name for name in names if name.startswith("mail-")]

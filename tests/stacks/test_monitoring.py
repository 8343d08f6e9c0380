"""Alarms on what tells the truth, an e-mail that nobody else can send or read, and a dashboard."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import Aws, Synth, Template
from tests.stacks.templates import arn_of, only, resources

MESSAGING = "HelloQueueMessaging"


def alarm(template: Template, name: str) -> dict[str, Any]:
    (found,) = [each for each in resources(template, "AWS::CloudWatch::Alarm") if each["AlarmName"] == name]
    return dict(found)


def test_dead_letters(synth: Synth) -> None:
    template = synth()[MESSAGING]
    found = alarm(template, "test-dead-letters")
    assert found["MetricName"] == "ApproximateNumberOfMessagesVisible"
    (dimension,) = found["Dimensions"]
    watched = template["Resources"][dimension["Value"]["Fn::GetAtt"][0]]["Properties"]
    assert watched["QueueName"] == "test-dlq"
    assert (found["Threshold"], found["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
    assert (found["Statistic"], found["Period"], found["TreatMissingData"]) == ("Maximum", 60, "ignore")


def test_the_oldest_message_and_what_is_in_flight(synth: Synth) -> None:
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


def test_without_an_address_nobody_is_told(synth: Synth) -> None:
    template = synth()[MESSAGING]
    assert not resources(template, "AWS::SNS::Topic")
    assert all("AlarmActions" not in each for each in resources(template, "AWS::CloudWatch::Alarm"))


def test_an_address_gets_an_email_that_is_encrypted_and_comes_over_tls(synth: Synth) -> None:
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


def test_they_are_there_after_a_deploy(aws: Aws) -> None:
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
    ]
    for widget in body["widgets"][1:]:
        for metric in widget["properties"]["metrics"]:
            assert metric[3] in ("test", "test-dlq"), "the deployed names, not references"


def test_an_email_deploys_and_goes(empty_aws: Aws) -> None:
    empty_aws.cdk("deploy", alarm_email="alarms@example.com")
    topics = empty_aws.client("sns").list_topics()["Topics"]
    assert [each["TopicArn"].rpartition(":")[2] for each in topics] == ["test-alarms"]
    empty_aws.cdk("destroy", alarm_email="alarms@example.com")
    assert empty_aws.client("sns").list_topics()["Topics"] == []
    assert empty_aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_the_operators_policy_is_attached_to_nobody(synth: Synth) -> None:
    template = synth()["HelloQueueIdentity"]
    (policy,) = [
        each for each in resources(template, "AWS::IAM::ManagedPolicy") if each["ManagedPolicyName"] == "test-operator"
    ]
    assert not {"Users", "Groups", "Roles"} & set(policy)
    by_resource = {str(each["Resource"]): each["Action"] for each in policy["PolicyDocument"]["Statement"]}
    assert "sqs:StartMessageMoveTask" in by_resource[str(arn_of("test-dlq"))]
    assert sorted(by_resource[str(arn_of("test"))]) == ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"]
    assert by_resource["*"] == "cloudwatch:GetMetricStatistics"


def test_an_operator_can_do_it_and_the_queues_user_cannot(empty_aws: Aws) -> None:
    """The policies as they are deployed, under IAM: status.py and redrive.py by their own policy alone."""
    empty_aws.cdk("deploy", administrator_access="false")
    iam, sqs = empty_aws.client("iam"), empty_aws.client("sqs")
    dead = sqs.get_queue_url(QueueName="test-dlq")["QueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody="a")
    iam.create_user(UserName="operator")
    (arn,) = [
        each["Arn"] for each in iam.list_policies(Scope="Local")["Policies"] if each["PolicyName"] == "test-operator"
    ]
    iam.attach_user_policy(UserName="operator", PolicyArn=arn)
    created = iam.create_access_key(UserName="operator")["AccessKey"]
    operator = {"AWS_ACCESS_KEY_ID": created["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": created["SecretAccessKey"]}
    key_id, secret = empty_aws.access_key()
    user = {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}
    assert "AccessDenied" in empty_aws.script("redrive.py", check=False, env=user).stderr
    assert empty_aws.script("status.py", check=False, env=operator).stdout.splitlines()[1].split()[-1] == "1"
    assert empty_aws.script("redrive.py", "--move", "--yes", env=operator).stdout.endswith("1 moved\n")
    assert "AccessDenied" in empty_aws.script("process.py", check=False, env=operator).stderr

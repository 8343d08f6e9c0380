"""The template of the workers on AWS Lambda."""

from __future__ import annotations

from hello_queue.constants import QUEUE_USER_ACTIONS
from tests.conftest import Synth
from tests.stacks.templates import WORKERS, arn_of, only, resources


def test_the_function_and_its_event_source_mapping(synth: Synth) -> None:
    template = synth(workers="lambda", worker_batch_window_seconds="6", visibility_timeout_seconds="36")[WORKERS]
    mapping = only(template, "AWS::Lambda::EventSourceMapping")
    assert mapping["EventSourceArn"] == arn_of("test")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert only(template, "AWS::Logs::LogGroup")["RetentionInDays"] == 30
    assert {each["MetricName"] for each in resources(template, "AWS::CloudWatch::Alarm")} == {"Errors", "Throttles"}


def test_the_function_may_process_messages_and_write_its_log_and_nothing_else(synth: Synth) -> None:
    template = synth(workers="lambda")[WORKERS]
    assert not {"ManagedPolicyArns", "Policies"} & only(template, "AWS::IAM::Role").keys()
    policy = only(template, "AWS::IAM::Policy")
    log, queue = policy["PolicyDocument"]["Statement"]
    assert set(log["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert log["Resource"] == {"Fn::GetAtt": ["Log95422804", "Arn"]}
    assert set(queue["Action"]) == set(QUEUE_USER_ACTIONS) - {"sqs:SendMessage"}
    assert queue["Resource"] == arn_of("test")


def test_aws_lambda_may_receive_before_the_mapping_exists(synth: Synth) -> None:
    """AWS rejects a mapping to a function that may not receive from the queue."""
    found = synth(workers="lambda")[WORKERS]["Resources"]
    (mapping,) = [each for each in found.values() if each["Type"] == "AWS::Lambda::EventSourceMapping"]
    (policy,) = [name for name, each in found.items() if each["Type"] == "AWS::IAM::Policy"]
    assert policy in found[mapping["Properties"]["FunctionName"]["Ref"]]["DependsOn"]


def test_without_workers_their_stack_is_empty(synth: Synth) -> None:
    """The CDK deploys no empty stack, and deletes one that exists."""
    assert synth()[WORKERS].keys() == {"Description"}

"""The events of a stack have an order by their time, as the CDK CLI needs it."""

from __future__ import annotations

import json
import time

from tests.conftest import Aws


def test_no_two_events_have_the_same_time(aws: Aws) -> None:
    cloudformation, name = aws.client("cloudformation"), f"t-{time.time_ns()}"
    template = {"Resources": {f"Queue{number}": {"Type": "AWS::SQS::Queue"} for number in range(8)}}
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    cloudformation.delete_stack(StackName=name)
    times = [each["Timestamp"] for each in events]
    assert len(times) == 18, "two of the stack and of each queue"
    assert times == sorted(set(times), reverse=True)

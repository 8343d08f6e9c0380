"""Reading templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.conftest import Template

Resource = Mapping[str, Any]

MESSAGING = "HelloQueueMessaging"
IDENTITY = "HelloQueueIdentity"
WORKERS = "HelloQueueWorkers"

EVERYTHING_ON = {
    "console_access": "true",
    "second_access_key": "2",
    "alarm_email": "alarms@example.com",
    "workers": "lambda",
}
"""The settings that add the most resources."""


def resources(template: Template, kind: str) -> list[Resource]:
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def only(template: Template, kind: str) -> Resource:
    (found,) = resources(template, kind)
    return found


def queues(template: Template) -> tuple[Resource, Resource]:
    """The queue and the dead-letter queue of a messaging template."""
    queue, dead_letter_queue = sorted(resources(template, "AWS::SQS::Queue"), key=lambda each: len(each["QueueName"]))
    return queue, dead_letter_queue


def arn_of(queue_name: str) -> dict[str, Any]:
    parts = ["arn:", {"Ref": "AWS::Partition"}, ":sqs:", {"Ref": "AWS::Region"}, ":", {"Ref": "AWS::AccountId"}]
    return {"Fn::Join": ["", [*parts, f":{queue_name}"]]}


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a template, with its path."""
    yield path, value
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from walk(each, f"{path}/{key}")

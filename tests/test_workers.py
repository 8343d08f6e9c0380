"""Workers on AWS Lambda, deployed behind a real event source mapping."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conftest import Aws
from tests.queues import bodies

SETTINGS: dict[str, Any] = {
    "workers": "lambda",
    "delay_seconds": "0",
    "max_receive_count": "1",
    "worker_timeout_seconds": "4",
    "visibility_timeout_seconds": "24",
}


def test_workers_process_messages_and_go_with_their_setting(empty_aws: Aws, tmp_path: Path) -> None:
    """300 messages, of which one in ten fails: those end in the dead-letter queue, without bringing back others.
    Then a deploy without workers, and a destroy without the setting, each leave nothing of them."""
    empty_aws.cdk("deploy", **SETTINGS)
    texts = [f"{'fail' if number % 10 == 0 else 'good'} {number}" for number in range(300)]
    lines = tmp_path / "lines"
    lines.write_text("".join(f"{text}\n" for text in texts))
    assert empty_aws.script("send.py", "--file", str(lines)).stdout == "300 sent, 0 failed\n"
    sqs = empty_aws.client("sqs")
    url, dead = (sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in ("test", "test-dlq"))

    def left() -> int:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return sum(int(found[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed"))

    deadline = time.monotonic() + 120
    while left() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert sorted(bodies(empty_aws, dead)) == sorted(text for text in texts if text.startswith("fail"))
    logged = list(_logged(empty_aws))
    handled = [text for text in logged if text.startswith("good ")]
    assert len(handled) == len({*handled}), "each once"
    assert {*handled} <= {*texts}
    assert len(handled) > 200  # of 270: the local AWS can lose the log of an invocation

    empty_aws.cdk("deploy", **{**SETTINGS, "workers": "none"})
    assert workers_left(empty_aws) == []
    assert sqs.get_queue_url(QueueName="test")["QueueUrl"] == url

    empty_aws.deploy(**SETTINGS)
    assert len(workers_left(empty_aws)) == 5
    empty_aws.cdk("destroy")
    assert workers_left(empty_aws) == []
    assert sqs.list_queues().get("QueueUrls", []) == []


def workers_left(aws: Aws) -> list[str]:
    """The resources of the workers that exist, and their stack."""
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    roles = aws.client("iam").list_roles()["Roles"]
    return [
        *(each["FunctionName"] for each in aws.client("lambda").list_functions()["Functions"]),
        *(each["UUID"] for each in aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]),
        *(each["logGroupName"] for each in aws.client("logs").describe_log_groups()["logGroups"]),
        *(each["RoleName"] for each in roles if each["RoleName"].startswith("HelloQueueWorkers")),
        *(each["StackName"] for each in stacks if each["StackName"] == "HelloQueueWorkers"),
    ]


def _logged(aws: Aws) -> Iterator[str]:
    pages = aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/test-worker")
    for page in pages:
        for event in page["events"]:
            yield from event["message"].splitlines()

"""status.py prints the state of the queue as far as the caller may read it."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from hello_queue.operations.metrics import QueueSample, change_per_second, seconds_to_drain
from hello_queue.project import ROOT
from tests.cli.test_terminal import shown_on_a_terminal
from tests.conftest import Aws
from tests.queues import bodies, fill, redrive_policy

POLICIES = "arn:aws:iam::111122223333:policy/"


class Pair(NamedTuple):
    """The URLs of a queue and its dead-letter queue."""

    url: str
    dead: str


@pytest.fixture
def pair(aws: Aws) -> Iterator[Pair]:
    sqs = aws.client("sqs")
    name = f"t-{time.time_ns()}"
    dead = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": redrive_policy(aws, dead, 3)})["QueueUrl"]
    yield Pair(url, dead)
    for each in (url, dead):
        sqs.delete_queue(QueueUrl=each)


def test_it_counts_messages_by_state(aws: Aws, pair: Pair) -> None:
    sqs = aws.client("sqs")
    fill(aws, pair.url, *[str(number) for number in range(7)])
    sqs.send_message(QueueUrl=pair.url, MessageBody="later", DelaySeconds=60)
    sqs.receive_message(QueueUrl=pair.url, MaxNumberOfMessages=2, VisibilityTimeout=60)
    sample = json.loads(aws.script("status.py", "--queue-url", pair.url, "--json").stdout)
    assert (sample["visible"], sample["in_flight"], sample["delayed"], sample["dead_letters"]) == (5, 2, 1, 0)
    assert sample["change_per_second"] is None


def test_messages_in_the_dead_letter_queue_are_status_1(aws: Aws, pair: Pair) -> None:
    fill(aws, pair.dead, "a", "b")
    done = aws.script("status.py", "--queue-url", pair.url, check=False)
    assert done.returncode == 1
    assert done.stderr == ""
    heading, row = done.stdout.splitlines()
    assert heading.endswith("  dead letters")
    assert row.split()[3:] == ["-"] * 6 + ["2"]  # CloudWatch has nothing yet


def test_it_watches_a_queue_drain(aws: Aws, pair: Pair) -> None:
    fill(aws, pair.url, *[str(number) for number in range(20)])
    command = [sys.executable, "scripts/status.py", "--queue-url", pair.url, "--json", "--watch=1", "--samples=3"]
    with subprocess.Popen(
        command, cwd=ROOT, env=aws.instance.environment(), stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout
        first = json.loads(watching.stdout.readline())
        assert first["visible"] == 20
        bodies(aws, pair.url)
        others = [json.loads(line) for line in watching.stdout]
    assert watching.returncode == 0
    assert len(others) == 2
    assert others[-1]["visible"] == 0
    assert others[-1]["seconds_to_drain"] == 0


def sample(at: float, visible: int) -> QueueSample:
    return QueueSample(at, visible, 0, 0, 0)


def test_the_time_to_drain() -> None:
    assert change_per_second(sample(0, 100), sample(10, 50)) == -5
    assert seconds_to_drain(sample(0, 100), sample(10, 50)) == 10
    assert seconds_to_drain(sample(0, 50), sample(10, 50)) is None
    assert seconds_to_drain(sample(0, 50), sample(10, 60)) is None
    assert seconds_to_drain(sample(0, 50), sample(10, 0)) == 0


def test_a_queue_without_a_dead_letter_queue_is_one_line(aws: Aws, queue: str) -> None:
    done = aws.script("status.py", "--queue-url", queue, check=False)
    assert done.returncode == 1
    assert "has no dead-letter queue" in done.stderr
    assert done.stderr.count("\n") == 1


def test_all_metrics_are_of_the_same_minute(aws: Aws, pair: Pair) -> None:
    """The rate of sending arrived for a later minute, in which the others have no value yet."""
    cloudwatch = aws.client("cloudwatch")
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    points = [
        ("NumberOfMessagesSent", 4, 120),
        ("NumberOfMessagesDeleted", 4, 60),
        ("ApproximateAgeOfOldestMessage", 4, 7),
        ("NumberOfMessagesSent", 2, 6000),
        ("ApproximateAgeOfOldestMessage", 6, 700),
    ]
    for name, minutes_ago, value in points:
        point = {
            "MetricName": name,
            "Dimensions": [{"Name": "QueueName", "Value": pair.url.rpartition("/")[2]}],
            "Timestamp": now - datetime.timedelta(minutes=minutes_ago),
            "Value": value,
        }
        cloudwatch.put_metric_data(Namespace="AWS/SQS", MetricData=[point])
    shown = json.loads(aws.script("status.py", "--queue-url", pair.url, "--json").stdout)
    minute = now - datetime.timedelta(minutes=4)
    assert shown["minute"] == minute.isoformat()
    assert (shown["sent_per_second"], shown["processed_per_second"], shown["oldest_seconds"]) == (2, 1, 7)
    heading, row = aws.script("status.py", "--queue-url", pair.url).stdout.splitlines()
    assert "at (UTC)" in heading
    assert f"{minute:%H:%M}" in row


def test_the_queues_user_sees_the_queue_and_learns_what_it_lacks(aws: Aws, deployed_queue: str) -> None:
    """With the policies of the deployment: the user's own, then the one that the message names."""
    iam = aws.client("iam")
    iam.create_user(UserName="plain")
    iam.attach_user_policy(UserName="plain", PolicyArn=f"{POLICIES}test-queue-user")
    key = iam.create_access_key(UserName="plain")["AccessKey"]
    env = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    fill(aws, deployed_queue, "order")
    done = aws.script("status.py", "--watch=1", "--samples=2", check=False, env=env)
    iam.attach_user_policy(UserName="plain", PolicyArn=f"{POLICIES}test-operator")
    operator = aws.script("status.py", env=env)
    for policy in ("test-queue-user", "test-operator"):
        iam.detach_user_policy(UserName="plain", PolicyArn=f"{POLICIES}{policy}")
    iam.delete_access_key(UserName="plain", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="plain")
    aws.client("sqs").purge_queue(QueueUrl=deployed_queue)

    assert done.returncode == 1
    _, first, second = done.stdout.splitlines()
    assert [first.split()[-1], second.split()[-1]] == ["?", "?"]
    assert "1" in second.split()[:3]
    assert first.split()[3:-1] == ["?"] * 4 + ["-"] * 2  # no sample before it: that is nobody's right
    assert done.stderr == (
        "cannot read the dead-letter queue test-dlq, the metrics in CloudWatch, the alarms in CloudWatch: "
        "arn:aws:iam::111122223333:user/plain may not call GetQueueUrl, GetMetricStatistics, DescribeAlarms. "
        "The policy test-operator allows it\n"
    )
    assert operator.stderr == ""
    assert operator.stdout.splitlines()[1].split()[-1] == "0"


def test_a_terminal_gets_a_screen_whose_last_figures_stay(aws: Aws, deployed_queue: str) -> None:
    """With the real alarms, which have the names that the stacks give them."""
    fill(aws, deployed_queue, "a", "b")
    arguments = ["--deployment=", "--watch=1", "--samples=2"]
    shown, status = shown_on_a_terminal("status.py", *arguments, env=aws.instance.environment())
    aws.client("sqs").purge_queue(QueueUrl=deployed_queue)
    assert status == 0
    last = shown.rpartition("\x1b[2K")[2]
    for line in ("visible", "in all", "drained in", "test-dlq", "alarms"):
        assert line in last, shown
    for alarm in ("test-dead-letters", "test-oldest-message", "test-in-flight"):
        assert alarm in last, shown
    assert re.search("in all.*2.*██", last), shown

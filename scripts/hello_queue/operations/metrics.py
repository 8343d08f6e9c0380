"""The numbers of messages in a queue and its dead-letter queue, and CloudWatch's metrics of the queue."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.errors import is_denied, is_no_such_queue
from hello_queue.constants import ALARM_ENDINGS
from hello_queue.sqs.queues import attributes, dead_letter_name

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_sqs import SQSClient

_WINDOW = datetime.timedelta(minutes=10)
_PERIOD_SECONDS = 60

METRICS = "the metrics in CloudWatch"
"""Their name among the errors of a sample."""

Statistic = Literal["Maximum", "Sum"]
_METRICS: tuple[tuple[str, Statistic], ...] = (
    ("ApproximateAgeOfOldestMessage", "Maximum"),
    ("NumberOfMessagesSent", "Sum"),
    ("NumberOfMessagesDeleted", "Sum"),
)


@dataclass(frozen=True)
class Alarm:
    """An alarm of a queue: its name, its state (OK, ALARM or INSUFFICIENT_DATA), and CloudWatch's reason."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True)
class QueueSample:
    """The state of a queue at one time.

    Attributes:
        at: when the sample was taken, by `time.monotonic`.
        visible, in_flight, delayed: the messages in the queue.
        dead_letters: the messages in the dead-letter queue, in flight or not; None if the caller may not read it.
        queue, dead_letter_queue: their names.
        minute: when the minute began that the values below are of; None if CloudWatch has none.
        oldest_seconds: the age of the oldest message; None if CloudWatch has no value for this minute.
        sent_per_second, processed_per_second: likewise, the messages sent and deleted.
        alarms: the queue's alarms; None if the caller may not read them.
        errors: what could not be read, by name.
    """

    at: float
    visible: int
    in_flight: int
    delayed: int
    dead_letters: int | None
    queue: str = ""
    dead_letter_queue: str = ""
    minute: datetime.datetime | None = None
    oldest_seconds: float | None = None
    sent_per_second: float | None = None
    processed_per_second: float | None = None
    alarms: tuple[Alarm, ...] | None = None
    errors: Mapping[str, ClientError | BotoCoreError] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.visible + self.in_flight + self.delayed


def take_sample(sqs: SQSClient, cloudwatch: CloudWatchClient, url: str) -> QueueSample:
    """Read both queues, the metrics and the alarms. What cannot be read, except the queue itself, is left out.

    Raises:
        HelloQueueError: the queue has no dead-letter queue.
        botocore.exceptions.ClientError: the queue cannot be read.
    """
    errors: dict[str, ClientError | BotoCoreError] = {}
    queue = attributes(sqs, url)
    dead_letters, minute, values = None, None, dict.fromkeys((name for name, _ in _METRICS), None)
    account, dead_letter_queue = dead_letter_name(queue, url)
    try:
        dead_letters = _count_all(sqs, account, dead_letter_queue)
    except ClientError as error:
        if not (is_denied(error) or is_no_such_queue(error)):
            raise
        errors[f"the dead-letter queue {dead_letter_queue}"] = error
    try:
        minute, values = _metrics(cloudwatch, url.rpartition("/")[2])
    except (ClientError, BotoCoreError) as error:
        errors[METRICS] = error
    alarms = None
    try:
        alarms = _alarms(cloudwatch, url.rpartition("/")[2])
    except (ClientError, BotoCoreError) as error:
        errors["the alarms in CloudWatch"] = error
    sent, deleted = values["NumberOfMessagesSent"], values["NumberOfMessagesDeleted"]
    return QueueSample(
        at=time.monotonic(),
        visible=int(queue["ApproximateNumberOfMessages"]),
        in_flight=int(queue["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(queue["ApproximateNumberOfMessagesDelayed"]),
        dead_letters=dead_letters,
        queue=url.rpartition("/")[2],
        dead_letter_queue=dead_letter_queue,
        minute=minute,
        oldest_seconds=values["ApproximateAgeOfOldestMessage"],
        sent_per_second=None if sent is None else sent / _PERIOD_SECONDS,
        processed_per_second=None if deleted is None else deleted / _PERIOD_SECONDS,
        alarms=alarms,
        errors=errors,
    )


def change_per_second(before: QueueSample, now: QueueSample) -> float:
    """By how many messages per second the queue grew between two samples; negative if it drains."""
    return (now.total - before.total) / max(now.at - before.at, 1e-3)


def seconds_to_drain(before: QueueSample, now: QueueSample) -> float | None:
    """In how many seconds the queue will be empty at the present rate; None if it does not drain."""
    change = change_per_second(before, now)
    if now.total == 0:
        return 0.0
    return now.total / -change if change < 0 else None


def _count_all(sqs: SQSClient, account: str, name: str) -> int:
    url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    found = attributes(sqs, url)
    return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])


def _alarms(cloudwatch: CloudWatchClient, queue_name: str) -> tuple[Alarm, ...]:
    names = [f"{queue_name.removesuffix('.fifo')}{ending}" for ending in ALARM_ENDINGS]
    found = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    alarms = [Alarm(each["AlarmName"], each["StateValue"], each.get("StateReason", "")) for each in found]
    return tuple(sorted(alarms, key=lambda alarm: names.index(alarm.name)))


def _metrics(cloudwatch: CloudWatchClient, queue_name: str) -> tuple[datetime.datetime | None, dict[str, float | None]]:
    """The latest full minute for which the most metrics have a value, and their values for this minute.

    Metrics arrive one by one, minutes late. Values of different minutes would not fit together.
    """
    end = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    series: dict[str, dict[datetime.datetime, float]] = {}
    for metric, statistic in _METRICS:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName=metric,
            Dimensions=[{"Name": "QueueName", "Value": queue_name}],
            StartTime=end - _WINDOW,
            EndTime=end,
            Period=_PERIOD_SECONDS,
            Statistics=[statistic],
        )["Datapoints"]
        series[metric] = {point["Timestamp"]: point[statistic] for point in points}
    minutes = {minute for values in series.values() for minute in values}
    chosen = max(
        minutes, key=lambda minute: (sum(minute in values for values in series.values()), minute), default=None
    )
    return chosen, {metric: values.get(chosen) if chosen else None for metric, values in series.items()}

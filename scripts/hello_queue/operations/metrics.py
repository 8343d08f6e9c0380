"""Figures of a queue and its dead-letter queue at one time, and what they say about the time between two."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.sqs.queues import attributes

_LOOK_BACK = datetime.timedelta(minutes=10)
_PERIOD_SECONDS = 60


@dataclass(frozen=True)
class Figures:
    """One look.

    Attributes:
        at: seconds, of no particular beginning.
        visible, in_flight, delayed: messages in the queue.
        dead: messages in the dead-letter queue, visible or not.
        oldest_seconds: how long the oldest message has waited, as CloudWatch last knew; None if it does not.
        sent_per_second, processed_per_second: likewise.
    """

    at: float
    visible: int
    in_flight: int
    delayed: int
    dead: int
    oldest_seconds: float | None
    sent_per_second: float | None
    processed_per_second: float | None

    @property
    def total(self) -> int:
        return self.visible + self.in_flight + self.delayed


def look(sqs: Any, cloudwatch: Any, url: str, dead_letter_url: str) -> Figures:
    """Ask SQS, and CloudWatch as far as it answers."""
    queue = attributes(sqs, url)
    dead = attributes(sqs, dead_letter_url)
    name = url.rpartition("/")[2]
    sent = _metric(cloudwatch, name, "NumberOfMessagesSent", "Sum")
    processed = _metric(cloudwatch, name, "NumberOfMessagesDeleted", "Sum")
    return Figures(
        at=time.monotonic(),
        visible=int(queue["ApproximateNumberOfMessages"]),
        in_flight=int(queue["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(queue["ApproximateNumberOfMessagesDelayed"]),
        dead=int(dead["ApproximateNumberOfMessages"]) + int(dead["ApproximateNumberOfMessagesNotVisible"]),
        oldest_seconds=_metric(cloudwatch, name, "ApproximateAgeOfOldestMessage", "Maximum"),
        sent_per_second=None if sent is None else sent / _PERIOD_SECONDS,
        processed_per_second=None if processed is None else processed / _PERIOD_SECONDS,
    )


def change_per_second(before: Figures, now: Figures) -> float:
    """By how many messages the queue has grown a second; negative: it drains."""
    return (now.total - before.total) / max(now.at - before.at, 1e-3)


def seconds_to_drain(before: Figures, now: Figures) -> float | None:
    """How long until the queue is empty if it goes on like this; None: never."""
    change = change_per_second(before, now)
    if now.total == 0:
        return 0.0
    return now.total / -change if change < 0 else None


def _metric(cloudwatch: Any, queue_name: str, metric: str, statistic: str) -> float | None:
    """The latest figure, which is some minutes old; None where there is none, or none for us."""
    now = datetime.datetime.now(datetime.timezone.utc)
    try:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName=metric,
            Dimensions=[{"Name": "QueueName", "Value": queue_name}],
            StartTime=now - _LOOK_BACK,
            EndTime=now,
            Period=_PERIOD_SECONDS,
            Statistics=[statistic],
        )["Datapoints"]
    except (ClientError, BotoCoreError):
        return None
    return float(max(points, key=lambda point: point["Timestamp"])[statistic]) if points else None

"""The queue's dashboard in CloudWatch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.alarms import minute


class QueueDashboard(cloudwatch.Dashboard):
    """Is it flowing, is it keeping up, is anything stuck, is it fair?

    Args:
        alarms: the alarms whose states are shown.
        dead_letters, oldest: the alarms whose thresholds are lines in the graphs.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        dashboard_name: str,
        queue: sqs.IQueue,
        dead_letter_queue: sqs.IQueue,
        alarms: Sequence[cloudwatch.Alarm],
        dead_letters: cloudwatch.Alarm,
        oldest: cloudwatch.Alarm,
    ) -> None:
        super().__init__(scope, construct_id, dashboard_name=dashboard_name, default_interval=cdk.Duration.hours(3))
        total: dict[str, Any] = {"statistic": "Sum", "period": minute()}
        highest: dict[str, Any] = {"statistic": "Maximum", "period": minute()}
        self.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=2))
        self.add_widgets(
            _graph(
                "Is it flowing? (messages a minute)",
                queue.metric_number_of_messages_sent(label="sent", **total),
                queue.metric_number_of_messages_received(label="received", **total),
                queue.metric_number_of_messages_deleted(label="processed", **total),
            ),
            _graph(
                "Is it keeping up? (age of the oldest message in seconds)",
                queue.metric_approximate_age_of_oldest_message(label="age", **highest),
                alarm=oldest,
            ),
            _graph(
                "Is anything stuck? (messages)",
                queue.metric_approximate_number_of_messages_visible(label="waiting", **highest),
                queue.metric_approximate_number_of_messages_not_visible(label="in flight", **highest),
                dead_letter_queue.metric_approximate_number_of_messages_visible(label="dead letters", **highest),
                alarm=dead_letters,
            ),
        )
        if not queue.fifo:
            self.add_widgets(*_fairness(queue, highest))


def _fairness(queue: sqs.IQueue, highest: dict[str, Any]) -> list[cloudwatch.IWidget]:
    """The metrics of a fair queue, which have values once messages have a group:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html"""

    def metric(name: str, label: str) -> cloudwatch.IMetric:
        return queue.metric(name, label=label, **highest)

    return [
        _graph(
            "Do quiet groups wait? (age of the oldest message in seconds)",
            queue.metric_approximate_age_of_oldest_message(label="all", **highest),
            metric("ApproximateAgeOfOldestMessageInQuietGroups", "quiet groups"),
        ),
        _graph(
            "Whose messages wait? (messages)",
            queue.metric_approximate_number_of_messages_visible(label="all", **highest),
            metric("ApproximateNumberOfMessagesVisibleInQuietGroups", "quiet groups"),
        ),
        _graph("How many groups are noisy?", metric("ApproximateNumberOfNoisyGroups", "noisy groups")),
    ]


def _graph(title: str, *metrics: cloudwatch.IMetric, alarm: cloudwatch.Alarm | None = None) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        left_annotations=[alarm.to_annotation()] if alarm else [],
        left_y_axis=cloudwatch.YAxisProps(min=0, show_units=False),
        width=8,
        height=6,
    )

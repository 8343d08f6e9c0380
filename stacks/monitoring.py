"""What tells whoever runs the queue that something is wrong, and shows what: alarms, an e-mail, a dashboard."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.settings import Settings

MINUTE = cdk.Duration.minutes(1)
"""SQS has a figure a minute: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html"""


def add_monitoring(scope: Construct, settings: Settings, queue: sqs.Queue, dead_letter_queue: sqs.Queue) -> None:
    """Add the alarms, their e-mail if there is an address, and the dashboard."""
    alarms = _alarms(scope, settings, queue, dead_letter_queue)
    if settings.alarm_email:
        tell(_topic(scope, settings), alarms)
    _dashboard(scope, settings, queue, dead_letter_queue, alarms)


def tell(topic: sns.ITopic, alarms: Sequence[cloudwatch.Alarm]) -> None:
    """Have the alarms say so when they go off, and when they end."""
    for alarm in alarms:
        alarm.add_alarm_action(actions.SnsAction(topic))
        alarm.add_ok_action(actions.SnsAction(topic))


def _alarms(
    scope: Construct, settings: Settings, queue: sqs.Queue, dead_letter_queue: sqs.Queue
) -> list[cloudwatch.Alarm]:
    dead_letters = cloudwatch.Alarm(
        scope,
        "DeadLettersAlarm",
        alarm_name=settings.prefixed(f"{settings.queue_name}-dead-letters"),
        alarm_description="Messages could not be processed. scripts/redrive.py shows them and moves them back.",
        # Visible ones, as NumberOfMessagesSent misses those that SQS moves there itself; the maximum, as one is enough;
        # one minute, as nothing will change by waiting.
        metric=dead_letter_queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=MINUTE),
        threshold=settings.alarm_dead_letters,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluation_periods=1,
        # SQS stops counting in a queue that nobody has called for six hours: the messages are still there then.
        treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
    )
    oldest = cloudwatch.Alarm(
        scope,
        "OldestMessageAlarm",
        alarm_name=settings.prefixed(f"{settings.queue_name}-oldest-message"),
        alarm_description="Messages wait too long: too few consumers, or none. scripts/status.py shows how many wait.",
        # The age, not the number: many messages are fine as long as they are processed in time; the maximum, as an
        # average of ages hides the one that is stuck; three minutes, so that a restart of the consumers is no alarm.
        metric=queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=MINUTE),
        threshold=settings.alarm_age_seconds,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluation_periods=3,
        # As above: no figures can mean that nobody has sent or received for six hours, and messages wait.
        treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
    )
    in_flight = cloudwatch.Alarm(
        scope,
        "InFlightAlarm",
        alarm_name=settings.prefixed(f"{settings.queue_name}-in-flight"),
        alarm_description="Consumers hold almost as many messages as SQS allows (120,000); then they get no more.",
        # Not visible is in flight; the maximum, as the limit is hard; five minutes, as a burst passes.
        metric=queue.metric_approximate_number_of_messages_not_visible(statistic="Maximum", period=MINUTE),
        threshold=settings.alarm_in_flight,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluation_periods=5,
        # Without calls for six hours, nothing is in flight.
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    return [dead_letters, oldest, in_flight]


def _topic(scope: Construct, settings: Settings) -> sns.Topic:
    """An encrypted topic that takes alarms of this account over TLS, and its e-mail subscription.

    The key is our own: CloudWatch may not use the one that AWS keeps for SNS.
    """
    account = cdk.Stack.of(scope).account
    ours = {"StringEquals": {"aws:SourceAccount": account}}
    cloudwatch_service = iam.ServicePrincipal("cloudwatch.amazonaws.com")
    key = kms.Key(
        scope,
        "AlarmKey",
        description="Encrypts the alarms of the queue on their way to the e-mail",
        enable_key_rotation=True,
        pending_window=cdk.Duration.days(7),
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsEncrypt",
            principals=[cloudwatch_service],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],  # in a key's policy: this key
            conditions=ours,
        )
    )
    topic = sns.Topic(
        scope,
        "Alarms",
        topic_name=settings.physical_alarm_topic_name,
        master_key=key,
        enforce_ssl=True,
    )
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsPublish",
            principals=[cloudwatch_service],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions=ours,
        )
    )
    topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_email))
    return topic


def _dashboard(
    scope: Construct,
    settings: Settings,
    queue: sqs.Queue,
    dead_letter_queue: sqs.Queue,
    alarms: list[cloudwatch.Alarm],
) -> None:
    """Is it flowing, is it keeping up, is anything stuck?"""
    dashboard = cloudwatch.Dashboard(
        scope,
        "Dashboard",
        dashboard_name=settings.prefixed(settings.queue_name),
        default_interval=cdk.Duration.hours(3),
    )

    def graph(title: str, *metrics: cloudwatch.Metric, alarm: cloudwatch.Alarm | None = None) -> cloudwatch.IWidget:
        lines = [alarm.to_annotation()] if alarm else []
        axis = cloudwatch.YAxisProps(min=0, show_units=False)
        return cloudwatch.GraphWidget(
            title=title, left=list(metrics), left_annotations=lines, left_y_axis=axis, width=8, height=6
        )

    dead_letters, oldest, _ = alarms
    dashboard.add_widgets(
        cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=2),
    )
    dashboard.add_widgets(
        graph(
            "Is it flowing? (messages a minute)",
            queue.metric_number_of_messages_sent(label="sent", statistic="Sum", period=MINUTE),
            queue.metric_number_of_messages_received(label="received", statistic="Sum", period=MINUTE),
            queue.metric_number_of_messages_deleted(label="processed", statistic="Sum", period=MINUTE),
        ),
        graph(
            "Is it keeping up? (seconds that the oldest waits)",
            queue.metric_approximate_age_of_oldest_message(label="age", statistic="Maximum", period=MINUTE),
            alarm=oldest,
        ),
        graph(
            "Is anything stuck? (messages)",
            queue.metric_approximate_number_of_messages_visible(label="waiting", statistic="Maximum", period=MINUTE),
            queue.metric_approximate_number_of_messages_not_visible(
                label="in flight", statistic="Maximum", period=MINUTE
            ),
            dead_letter_queue.metric_approximate_number_of_messages_visible(
                label="dead letters", statistic="Maximum", period=MINUTE
            ),
            alarm=dead_letters,
        ),
    )

"""The alarms on the queues and on the workers, and the encrypted topic that sends them by e-mail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct


def minute() -> cdk.Duration:
    """The interval of SQS's metrics:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html"""
    return cdk.Duration.minutes(1)


class DeadLettersAlarm(cloudwatch.Alarm):
    """At least ``threshold`` messages are in the dead-letter queue."""

    def __init__(
        self, scope: Construct, construct_id: str, *, alarm_name: str, dead_letter_queue: sqs.IQueue, threshold: int
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            alarm_name=alarm_name,
            alarm_description="Messages could not be processed. scripts/redrive.py shows them and moves them back.",
            # Visible messages, because NumberOfMessagesSent misses those that SQS moves here itself; the maximum,
            # because one message is enough; one minute, because waiting changes nothing.
            metric=dead_letter_queue.metric_approximate_number_of_messages_visible(
                statistic="Maximum", period=minute()
            ),
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            # SQS reports no metrics for a queue without calls for six hours; the messages are still there then.
            treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
        )


class OldestMessageAlarm(cloudwatch.Alarm):
    """The oldest message in the queue has been older than ``threshold_seconds`` for three minutes."""

    def __init__(
        self, scope: Construct, construct_id: str, *, alarm_name: str, queue: sqs.IQueue, threshold_seconds: int
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            alarm_name=alarm_name,
            alarm_description="Messages wait too long: too few consumers, or none. scripts/status.py counts them.",
            # The age, not the number: many messages are fine as long as they are processed in time; the maximum,
            # because an average hides one stuck message; three minutes, because consumers restart.
            metric=queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=minute()),
            threshold=threshold_seconds,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=3,
            # SQS reports no metrics for a queue without calls for six hours; messages can still be waiting then.
            treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
        )


class InFlightAlarm(cloudwatch.Alarm):
    """At least ``threshold`` messages have been in flight for five minutes."""

    def __init__(
        self, scope: Construct, construct_id: str, *, alarm_name: str, queue: sqs.IQueue, threshold: int
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            alarm_name=alarm_name,
            alarm_description="Consumers hold almost as many messages as SQS allows (120,000); then they get no more.",
            # "Not visible" is in flight; the maximum, because the quota is hard; five minutes, because bursts pass.
            metric=queue.metric_approximate_number_of_messages_not_visible(statistic="Maximum", period=minute()),
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=5,
            # Without calls for six hours, nothing is in flight.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )


class _WorkerAlarm(cloudwatch.Alarm):
    """At least one call of the function was counted by ``metric``, one of the function's methods."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        alarm_name: str,
        alarm_description: str,
        metric: Callable[..., cloudwatch.Metric],
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            alarm_name=alarm_name,
            alarm_description=alarm_description,
            # The sum, because one call is enough; five minutes, because a call can take that long.
            metric=metric(statistic="Sum", period=cdk.Duration.minutes(5)),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            # No calls, nothing to count.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )


class WorkerErrorsAlarm(_WorkerAlarm):
    """A call of the function failed. A failed message does not count: the call reports it and succeeds."""

    def __init__(self, scope: Construct, construct_id: str, *, alarm_name: str, function: lambda_.IFunction) -> None:
        super().__init__(
            scope,
            construct_id,
            alarm_name=alarm_name,
            alarm_description="The workers crash or run out of time or memory: see their log group.",
            metric=function.metric_errors,
        )


class WorkerThrottlesAlarm(_WorkerAlarm):
    """Lambda refused a call. Its messages were received, which counts toward ``max_receive_count``."""

    def __init__(self, scope: Construct, construct_id: str, *, alarm_name: str, function: lambda_.IFunction) -> None:
        super().__init__(
            scope,
            construct_id,
            alarm_name=alarm_name,
            alarm_description="Lambda refuses calls: the account's concurrency is used up. Lower worker_concurrency "
            "or request a higher quota.",
            metric=function.metric_throttles,
        )


class AlarmKey(kms.Key):
    """Encrypts the alarm topic. CloudWatch may not use the key that AWS manages for SNS."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Encrypts the queue's alarms until they are sent by e-mail",
            enable_key_rotation=True,
            pending_window=cdk.Duration.days(7),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.grant(_cloudwatch(self), "kms:Decrypt", "kms:GenerateDataKey*")


class AlarmTopic(sns.Topic):
    """An encrypted topic that accepts alarms of this account over TLS, with an e-mail subscription."""

    def __init__(self, scope: Construct, construct_id: str, *, topic_name: str, key: kms.IKey, email: str) -> None:
        super().__init__(scope, construct_id, topic_name=topic_name, master_key=key, enforce_ssl=True)
        self.grant_publish(_cloudwatch(self))
        self.add_subscription(subscriptions.EmailSubscription(email))


def _cloudwatch(scope: Construct) -> iam.ServicePrincipal:
    """CloudWatch, on behalf of this account only."""
    ours = {"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}}
    return iam.ServicePrincipal("cloudwatch.amazonaws.com", conditions=ours)


def notify(topic: sns.ITopic, alarms: Sequence[cloudwatch.Alarm]) -> None:
    """Publish to the topic when an alarm goes off and when it ends."""
    for alarm in alarms:
        alarm.add_alarm_action(actions.SnsAction(topic))
        alarm.add_ok_action(actions.SnsAction(topic))

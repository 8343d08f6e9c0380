"""The queue, its dead-letter queue, and the alarms and the dashboard for both."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from hello_queue.constants import (
    DEAD_LETTER_RETENTION_SECONDS,
    DEAD_LETTERS_ALARM,
    IN_FLIGHT_ALARM,
    OLDEST_MESSAGE_ALARM,
)
from stacks.alarms import AlarmKey, AlarmTopic, DeadLettersAlarm, InFlightAlarm, OldestMessageAlarm, notify
from stacks.arns import queue_arn
from stacks.dashboard import QueueDashboard
from stacks.names import Names
from stacks.setting_groups import AlarmSettings, QueueSettings


class MessagingStack(cdk.Stack):
    """An encrypted queue and its dead-letter queue, which accept TLS only, with alarms and a dashboard."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: QueueSettings,
        alarm_settings: AlarmSettings,
        names: Names,
        tags: dict[str, str],
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description="SQS queue with a dead-letter queue, encrypted and TLS-only",
            tags=tags,
            termination_protection=settings.keep_data,
        )
        # True or None: SQS refuses an explicit false.
        fifo = settings.fifo or None
        removal_policy = cdk.RemovalPolicy.RETAIN if settings.keep_data else cdk.RemovalPolicy.DESTROY
        dead_letter_queue = sqs.Queue(
            self,
            "DeadLetterQueue",
            queue_name=names.dead_letter_queue,
            fifo=fifo,
            retention_period=cdk.Duration.seconds(DEAD_LETTER_RETENTION_SECONDS),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            removal_policy=removal_policy,
            redrive_allow_policy=sqs.RedriveAllowPolicy(
                redrive_permission=sqs.RedrivePermission.BY_QUEUE,
                source_queues=[sqs.Queue.from_queue_arn(self, "Source", queue_arn(self, names.queue))],
            ),
        )
        queue = sqs.Queue(
            self,
            "Queue",
            queue_name=names.queue,
            fifo=fifo,
            content_based_deduplication=settings.content_based_deduplication or None,
            delivery_delay=cdk.Duration.seconds(settings.delay_seconds),
            visibility_timeout=cdk.Duration.seconds(settings.visibility_timeout_seconds),
            retention_period=cdk.Duration.seconds(settings.retention_seconds),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            removal_policy=removal_policy,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=dead_letter_queue, max_receive_count=settings.max_receive_count
            ),
        )
        self._monitor(queue, dead_letter_queue, alarm_settings, names)
        for output, value, description in (
            ("QueueName", queue.queue_name, "Name of the queue"),
            ("QueueUrl", queue.queue_url, "URL of the queue, for send.py and process.py"),
            ("QueueArn", queue.queue_arn, "ARN of the queue, for policies"),
            ("DeadLetterQueueUrl", dead_letter_queue.queue_url, "URL of the queue for messages that failed repeatedly"),
        ):
            cdk.CfnOutput(self, output, value=value, description=description)

    def _monitor(self, queue: sqs.Queue, dead_letter_queue: sqs.Queue, settings: AlarmSettings, names: Names) -> None:
        dead_letters = DeadLettersAlarm(
            self,
            "DeadLettersAlarm",
            alarm_name=names.of_queue(DEAD_LETTERS_ALARM),
            dead_letter_queue=dead_letter_queue,
            threshold=settings.alarm_dead_letters,
        )
        oldest = OldestMessageAlarm(
            self,
            "OldestMessageAlarm",
            alarm_name=names.of_queue(OLDEST_MESSAGE_ALARM),
            queue=queue,
            threshold_seconds=settings.alarm_age_seconds,
        )
        in_flight = InFlightAlarm(
            self,
            "InFlightAlarm",
            alarm_name=names.of_queue(IN_FLIGHT_ALARM),
            queue=queue,
            threshold=settings.alarm_in_flight,
        )
        alarms = [dead_letters, oldest, in_flight]
        if settings.alarm_email:
            topic = AlarmTopic(
                self,
                "Alarms",
                topic_name=names.alarm_topic,
                key=AlarmKey(self, "AlarmKey"),
                email=settings.alarm_email,
            )
            notify(topic, alarms)
        QueueDashboard(
            self,
            "Dashboard",
            dashboard_name=names.dashboard,
            queue=queue,
            dead_letter_queue=dead_letter_queue,
            alarms=alarms,
            dead_letters=dead_letters,
            oldest=oldest,
        )

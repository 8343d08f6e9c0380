"""The queue, the dead-letter queue that takes what cannot be processed, and what watches over both."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from hello_queue.constants import DEAD_LETTER_RETENTION_SECONDS
from stacks.monitoring import add_monitoring
from stacks.settings import Settings


def queue_arn(stack: cdk.Stack, queue_name: str) -> str:
    """The ARN that a queue of this name has in the stack's account and region.

    Made from the name, not referenced: a reader sees which queue is meant, the stacks need no exports that would
    block a change, and the two queues can name each other without a cycle.
    """
    return stack.format_arn(service="sqs", resource=queue_name)


class MessagingStack(cdk.Stack):
    """An encrypted queue and its dead-letter queue, which answer over TLS only, with alarms and a dashboard."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, tags: dict[str, str]) -> None:
        super().__init__(
            scope, construct_id, description="SQS queue with a dead-letter queue, encrypted and TLS-only", tags=tags
        )
        # True or nothing: a queue that is none has no such property.
        fifo = settings.fifo or None
        dead_letter_queue = sqs.Queue(
            self,
            "DeadLetterQueue",
            queue_name=settings.physical_dead_letter_queue_name,
            fifo=fifo,
            retention_period=cdk.Duration.seconds(DEAD_LETTER_RETENTION_SECONDS),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            redrive_allow_policy=sqs.RedriveAllowPolicy(
                redrive_permission=sqs.RedrivePermission.BY_QUEUE,
                source_queues=[
                    sqs.Queue.from_queue_arn(self, "Source", queue_arn(self, settings.physical_queue_name)),
                ],
            ),
        )
        queue = sqs.Queue(
            self,
            "Queue",
            queue_name=settings.physical_queue_name,
            fifo=fifo,
            content_based_deduplication=settings.content_based_deduplication or None,
            delivery_delay=cdk.Duration.seconds(settings.delay_seconds),
            visibility_timeout=cdk.Duration.seconds(settings.visibility_timeout_seconds),
            retention_period=cdk.Duration.seconds(settings.retention_seconds),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=dead_letter_queue, max_receive_count=settings.max_receive_count
            ),
        )
        add_monitoring(self, settings, queue, dead_letter_queue)
        for output, value, description in (
            ("QueueName", queue.queue_name, "Name of the queue"),
            ("QueueUrl", queue.queue_url, "URL of the queue, for send.py and process.py"),
            ("QueueArn", queue.queue_arn, "ARN of the queue, for policies"),
            ("DeadLetterQueueUrl", dead_letter_queue.queue_url, "URL of the queue for what could not be processed"),
        ):
            cdk.CfnOutput(self, output, value=value, description=description)

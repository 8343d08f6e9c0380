"""Names, limits and rights that both the stacks and the scripts need.

The only module that `stacks/` and this package share.
"""

from __future__ import annotations

MESSAGING_STACK = "HelloQueueMessaging"
IDENTITY_STACK = "HelloQueueIdentity"
WORKERS_STACK = "HelloQueueWorkers"

DEAD_LETTER_RETENTION_SECONDS = 1_209_600
"""14 days, the longest retention period that SQS supports."""

QUEUE_USER_ACTIONS = (
    "sqs:SendMessage",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
)
"""What send.py and process.py call on the queue. The batch calls are authorized by the same actions:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html"""

REDRIVE_TARGET_ACTIONS = ("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage")
"""What status.py and redrive.py call on the queue."""

DEAD_LETTER_ACTIONS = (
    "sqs:GetQueueUrl",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:StartMessageMoveTask",
    "sqs:CancelMessageMoveTask",
    "sqs:ListMessageMoveTasks",
)
"""What status.py and redrive.py call on the dead-letter queue."""

METRICS_ACTIONS = ("cloudwatch:DescribeAlarms", "cloudwatch:GetMetricStatistics")
"""What status.py calls on CloudWatch."""

DEAD_LETTERS_ALARM = "-dead-letters"
OLDEST_MESSAGE_ALARM = "-oldest-message"
IN_FLIGHT_ALARM = "-in-flight"
ALARM_ENDINGS = (DEAD_LETTERS_ALARM, OLDEST_MESSAGE_ALARM, IN_FLIGHT_ALARM)
"""How the names of a queue's alarms end. They begin with the queue's name. status.py shows these alarms."""

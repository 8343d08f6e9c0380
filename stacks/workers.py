"""Workers on AWS Lambda: a function handles the queue's messages."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.alarms import WorkerErrorsAlarm, WorkerThrottlesAlarm, notify
from stacks.arns import queue_arn
from stacks.names import Names
from stacks.worker_code import ENTRY_POINT, PYTHON_VERSION, LocalBundling, handler_folder, worker_code
from stacks.worker_settings import WorkerSettings


class WorkersStack(cdk.Stack):
    """A function that an event source mapping calls with the queue's messages, with its role, log and alarms.

    Every deployment has this stack, but with ``workers=none`` it is empty. For an empty stack, ``cdk deploy`` creates
    nothing and deletes what an earlier deploy created; and ``cdk destroy`` finds the stack, whatever the settings are.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: WorkerSettings,
        names: Names,
        notify_by_email: bool,
        tags: dict[str, str],
    ) -> None:
        super().__init__(scope, construct_id, description="Workers for the queue on AWS Lambda", tags=tags)
        if settings.workers == "none":
            reason = "Empty on purpose: cdk deploy skips a stack without resources, and deletes it if it exists."
            cdk.Validations.of(self).acknowledge(cdk.Acknowledgment(id="CloudFormation-Validate::F0001", reason=reason))
            return
        function = self._function(settings, names)
        queue = sqs.Queue.from_queue_arn(self, "Queue", queue_arn(self, names.queue))
        queue.grant_consume_messages(function)
        # Not an SqsEventSource, which chooses its own logical id: a deploy over an existing stack would create a second
        # mapping between the queue and the function, which AWS refuses.
        lambda_.EventSourceMapping(
            self,
            "FromTheQueue",
            target=function,
            event_source_arn=queue.queue_arn,
            batch_size=settings.worker_batch_size,
            max_batching_window=cdk.Duration.seconds(settings.worker_batch_window_seconds),
            report_batch_item_failures=True,
            **_scaling(settings),
        )
        alarms = [
            WorkerErrorsAlarm(self, "ErrorsAlarm", alarm_name=f"{names.worker}-errors", function=function),
            WorkerThrottlesAlarm(self, "ThrottlesAlarm", alarm_name=f"{names.worker}-throttles", function=function),
        ]
        if notify_by_email:
            topic_arn = self.format_arn(service="sns", resource=names.alarm_topic)
            notify(sns.Topic.from_topic_arn(self, "Alarms", topic_arn), alarms)
        cdk.CfnOutput(self, "FunctionName", value=function.function_name, description="Name of the workers' function")

    def _function(self, settings: WorkerSettings, names: Names) -> lambda_.Function:
        log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{names.worker}",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        # The function's default role could write to every log group of the account.
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        bundling = LocalBundling(handler_folder(settings.worker_folder, settings.worker_handler))
        try:
            return lambda_.Function(
                self,
                "Function",
                function_name=names.worker,
                description=f"Handles the messages of {names.queue} with {settings.worker_handler}",
                runtime=lambda_.Runtime(f"python{PYTHON_VERSION}", lambda_.RuntimeFamily.PYTHON),
                code=worker_code(bundling),
                handler=ENTRY_POINT,
                environment={"HANDLER": settings.worker_handler},
                timeout=cdk.Duration.seconds(settings.worker_timeout_seconds),
                memory_size=settings.worker_memory_mb,
                role=role,
                log_group=log_group,
            )
        except RuntimeError:
            if bundling.error:
                raise bundling.error from None
            raise


def _scaling(settings: WorkerSettings) -> dict[str, Any]:
    """Lambda takes either a maximum of batches in progress, or provisioned pollers."""
    if not settings.worker_pollers_min:
        return {"max_concurrency": settings.worker_concurrency}
    pollers = lambda_.ProvisionedPollerConfig(
        minimum_pollers=settings.worker_pollers_min, maximum_pollers=settings.worker_pollers_max
    )
    return {"provisioned_poller_config": pollers}

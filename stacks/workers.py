"""Workers on AWS Lambda: the queue's messages go to a function, as many at once as it takes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from hello_queue.constants import WORKER_ACTIONS
from stacks.messaging import queue_arn
from stacks.monitoring import tell
from stacks.settings import Settings, SettingsError

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "scripts/hello_queue"
CONTRACT = ("__init__.py", "sqs/__init__.py", "sqs/handlers.py", "sqs/lambda_worker.py")
"""The files of the package that travel with a handler. They need nothing but Python and what Lambda has."""

RUNTIME = lambda_.Runtime.PYTHON_3_14
PIP = ("--platform=manylinux2014_x86_64", "--only-binary=:all:", "--python-version=3.14", "--implementation=cp")
"""The requirements are for Lambda's machine, not for the one that deploys."""


class WorkersStack(cdk.Stack):
    """A function that handles the queue's messages, fed by an event source mapping, with its role, log and alarms."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, tags: dict[str, str]) -> None:
        super().__init__(scope, construct_id, description="Workers for the queue on AWS Lambda", tags=tags)
        name = settings.prefixed(f"{settings.queue_name}-worker")
        source = queue_arn(self, settings.physical_queue_name)
        log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{name}",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        role = iam.Role(self, "Role", role_name=name, assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        policy = iam.Policy(
            self,
            "Policy",
            policy_name=name,
            roles=[role],
            statements=[
                iam.PolicyStatement(sid="TakeFromTheQueue", actions=list(WORKER_ACTIONS), resources=[source]),
                iam.PolicyStatement(
                    sid="WriteItsLog",
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[log_group.log_group_arn],
                ),
            ],
        )
        with tempfile.TemporaryDirectory() as directory:
            collect_code(settings, Path(directory))
            function = lambda_.Function(
                self,
                "Function",
                function_name=name,
                description=f"Handles the messages of {settings.physical_queue_name} by {settings.worker_handler}",
                runtime=RUNTIME,
                code=lambda_.Code.from_asset(directory),
                handler="hello_queue.sqs.lambda_worker.handle",
                environment={"HANDLER": settings.worker_handler},
                timeout=cdk.Duration.seconds(settings.worker_timeout_seconds),
                memory_size=settings.worker_memory_mb,
                role=role,
                log_group=log_group,
            )
        mapping = lambda_.EventSourceMapping(
            self,
            "FromTheQueue",
            target=function,
            event_source_arn=source,
            batch_size=settings.worker_batch_size,
            max_batching_window=cdk.Duration.seconds(settings.worker_batch_window_seconds),
            max_concurrency=settings.worker_concurrency,
            report_batch_item_failures=True,
        )
        mapping.node.add_dependency(policy)  # AWS refuses a mapping whose function may not receive
        alarms = self._alarms(function, name)
        if settings.alarm_email:
            topic_arn = self.format_arn(service="sns", resource=settings.physical_alarm_topic_name)
            tell(sns.Topic.from_topic_arn(self, "Alarms", topic_arn), alarms)
        cdk.CfnOutput(self, "FunctionName", value=function.function_name, description="Name of the workers' function")

    def _alarms(self, function: lambda_.Function, name: str) -> list[cloudwatch.Alarm]:
        minutes = cdk.Duration.minutes(5)
        alarms = []
        for construct_id, what, metric, description in (
            (
                "ErrorsAlarm",
                "errors",
                # Calls that ended badly, not messages that failed: those are not errors of a call. The sum, as one is
                # enough; five minutes, as a call may take so long.
                function.metric_errors(statistic="Sum", period=minutes),
                "The workers crash or run out of time or memory: see their log group.",
            ),
            (
                "ThrottlesAlarm",
                "throttles",
                # Calls that Lambda refused; each attempt of SQS counts towards the max receive count.
                function.metric_throttles(statistic="Sum", period=minutes),
                "Lambda refuses calls: the account's concurrency is used up. Lower worker_concurrency or ask for more.",
            ),
        ):
            alarm = cloudwatch.Alarm(
                self,
                construct_id,
                alarm_name=f"{name}-{what}",
                alarm_description=description,
                metric=metric,
                threshold=1,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                evaluation_periods=1,
                # No calls, no errors.
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
            alarms.append(alarm)
        return alarms


def collect_code(settings: Settings, directory: Path) -> None:
    """Put the handler's folder, its requirements and the contract into a folder, as Lambda gets it.

    Raises:
        SettingsError: there is no such handler, or its requirements cannot be installed.
    """
    folder = ROOT / settings.worker_folder
    module = settings.worker_handler.partition(":")[0].partition(".")[0]
    if not ((folder / f"{module}.py").is_file() or (folder / module).is_dir()):
        raise SettingsError(
            f"worker_handler: there is no module {module!r} in worker_folder {settings.worker_folder!r}"
        )
    hidden = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(folder, directory, ignore=hidden, dirs_exist_ok=True)
    for name in CONTRACT:
        copy = directory / PACKAGE.name / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE / name, copy)
    requirements = folder / "requirements.txt"
    if requirements.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", f"--target={directory}", *PIP]
        done = subprocess.run([*command, f"--requirement={requirements}"], capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise SettingsError(f"worker_folder: {requirements} cannot be installed for Lambda: {last}")

"""What exists in the local AWS: in the whole account, and in the stacks of a deployment."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from hello_queue.aws.clients import AccessKey, client
from hello_queue.aws.errors import error_code
from hello_queue.local_aws.instance import ACCOUNT

_any_client: Callable[..., Any] = client

_LISTED = (
    ("cloudformation", "describe_stacks", "Stacks[].StackName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName"),
    ("iam", "list_groups", "Groups[].Arn"),
    ("iam", "list_policies", "Policies[?starts_with(Arn, 'arn:aws:iam::aws:') == `false`].Arn"),
    ("iam", "list_roles", "Roles[].Arn"),
    ("iam", "list_users", "Users[].Arn"),
    ("kms", "list_keys", "Keys[].KeyArn"),
    ("lambda", "list_functions", "Functions[].FunctionArn"),
    ("logs", "describe_log_groups", "logGroups[].logGroupName"),
    ("secretsmanager", "list_secrets", "SecretList[].Name"),
    ("sns", "list_topics", "Topics[].TopicArn"),
    ("sqs", "list_queues", "QueueUrls[]"),
    ("ssm", "describe_parameters", "Parameters[].Name"),
)
"""What the stacks create, and what a change is likely to add. Assets that the CDK uploads are not among it: they stay
after every `cdk destroy`, until `cdk gc`."""


def existing() -> set[tuple[str, str]]:
    """Every resource in the account of the kinds that are listed: its kind and its name."""
    found = set()
    for service, operation, path in _LISTED:
        pages = _any_client(service).get_paginator(operation).paginate()
        things = operation.partition("_")[2].replace("_", " ")
        kind = f"{service} {re.sub('(ie)?s$', lambda end: 'y' if end[1] else '', things)}"
        found |= {(kind, str(name)) for name in pages.search(path) if name is not None}
    return {(kind, name) for kind, name in found if kind != "kms key" or not _is_scheduled_for_deletion(name)}


def _is_scheduled_for_deletion(key: str) -> bool:
    """Whether a KMS key is one that CloudFormation has deleted: it exists for some weeks more."""
    return bool(_any_client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion")


@dataclass(frozen=True)
class Deployed:
    """What is deployed.

    Attributes:
        outputs: the outputs of all stacks.
        resources: type and physical id of each resource, by stack and logical id.
        statuses: the status of each stack.
    """

    outputs: dict[str, str]
    resources: Mapping[tuple[str, str], tuple[str, str]]
    statuses: Mapping[str, str] = field(default_factory=dict)

    def resolved(self, text: str) -> str:
        """A text of the review with references such as ``${Queue.Arn}`` replaced, as far as they are known."""
        known = self._references()
        return re.sub(r"\$\{([^}]+)\}", lambda found: known.get(found[1], found[0]), text)

    def principal(self, who: str) -> str:
        """A principal of the review by its name, also where IAM or CloudFormation made that up."""
        kind, _, name = who.rpartition(" ")
        return f"{kind} {self._references().get(name, name).rpartition('/')[2]}".strip()

    def _references(self) -> dict[str, str]:
        known = {"AWS::Partition": "aws", "AWS::Region": os.environ["AWS_REGION"], "AWS::AccountId": ACCOUNT}
        for (_, logical_id), (type_, physical_id) in self.resources.items():
            for name in (logical_id, physical_id.rpartition("/")[2]):
                known[name] = physical_id
                if arn := arn_of(type_, physical_id):
                    known[f"{name}.Arn"] = arn
        return known


def arn_of(type_: str, physical_id: str) -> str | None:
    """The ARN of a resource; None if it is not known for such resources."""
    if physical_id.startswith("arn:"):
        return physical_id
    region = os.environ["AWS_REGION"]
    name = physical_id.rpartition("/")[2]
    return {
        "AWS::IAM::Group": f"arn:aws:iam::{ACCOUNT}:group/{name}",
        "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "AWS::IAM::User": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "AWS::KMS::Key": f"arn:aws:kms:{region}:{ACCOUNT}:key/{name}",
        "AWS::Lambda::Function": f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}",
        "AWS::S3::Bucket": f"arn:aws:s3:::{name}",
        "AWS::SQS::Queue": f"arn:aws:sqs:{region}:{ACCOUNT}:{name}",
    }.get(type_)


def deployed(stacks: Iterable[str]) -> Deployed:
    """What these stacks have deployed. A stack that does not exist has nothing."""
    cloudformation = client("cloudformation")
    outputs: dict[str, str] = {}
    resources: dict[tuple[str, str], tuple[str, str]] = {}
    statuses: dict[str, str] = {}
    for stack in stacks:
        try:
            (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            if error_code(error) != "ValidationError":
                raise
            continue
        statuses[stack] = described["StackStatus"]
        outputs.update({each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])})
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
            for each in page["StackResourceSummaries"]:
                if each["ResourceStatus"] != "DELETE_COMPLETE":
                    identity = each["ResourceType"], each.get("PhysicalResourceId", "")
                    resources[stack, each["LogicalResourceId"]] = identity
    return Deployed(outputs, resources, statuses)


@contextlib.contextmanager
def workers_paused() -> Iterator[None]:
    """No Lambda function gets messages: those that are running wait."""
    functions = _any_client("lambda")
    pages = functions.get_paginator("list_event_source_mappings").paginate()
    running = [each["UUID"] for page in pages for each in page["EventSourceMappings"] if each["State"] == "Enabled"]
    for mapping in running:
        functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    yield
    for mapping in running:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)


def refusal(key: AccessKey) -> str | None:
    """None if an access key works, otherwise the error code."""
    try:
        client("sts", key=key).get_caller_identity()
    except ClientError as error:
        return error_code(error)
    return None

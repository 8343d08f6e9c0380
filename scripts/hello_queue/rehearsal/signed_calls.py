"""What the user may do: real calls, signed with the user's key, which the local AWS authorizes and does not carry out.

A call is made from an IAM action and the ARN of its resource, with what botocore knows of the operation. So a call for
any right can be made, not only for those that somebody thought of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.clients import AccessKey, client
from hello_queue.aws.errors import is_denied
from hello_queue.constants import QUEUE_USER_ACTIONS
from hello_queue.local_aws import dry_run

_NEIGHBOURS = ("sqs:PurgeQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:AddPermission", "sqs:TagQueue")
_OF_USER = ("iam:CreateAccessKey", "iam:PutUserPolicy", "iam:AttachUserPolicy", "iam:DeleteUser")
_ANYWHERE = ("iam:ListUsers", "sqs:ListQueues", "cloudformation:DescribeStacks", "secretsmanager:ListSecrets")

_RESOURCE_MEMBERS = {
    "sqs": ("QueueUrl", "QueueName"),
    "iam": ("RoleName", "UserName", "PolicyArn", "GroupName"),
    "sts": ("RoleArn",),
    "secretsmanager": ("SecretId",),
    "sns": ("TopicArn",),
    "kms": ("KeyId",),
    "lambda": ("FunctionName",),
}
"""The parameter that names a call's resource, in the order in which the local AWS looks for it."""


@dataclass(frozen=True)
class Right:
    """An IAM action on a resource: an ARN, or ``*`` for an action without one."""

    action: str
    resource: str

    def __str__(self) -> str:
        name = self.resource.rpartition(":")[2]
        return self.action if name == "*" else f"{self.action} on {name}"


def rights_to_try(queue: str, dead_letter_queue: str, user: str, secret: str) -> list[Right]:
    """The rights that are tried in every rehearsal. All arguments are ARNs."""
    other = f"{queue.rpartition(':')[0]}:another"
    role = f"arn:aws:iam::{queue.split(':')[4]}:role/another"
    return [
        *(Right(action, each) for each in (queue, dead_letter_queue, other) for action in QUEUE_USER_ACTIONS),
        *(Right(action, each) for each in (queue, dead_letter_queue) for action in _NEIGHBOURS),
        *(Right(action, user) for action in _OF_USER),
        *(Right(action, "*") for action in _ANYWHERE),
        Right("secretsmanager:GetSecretValue", secret),
        Right("sqs:CreateQueue", other),
        Right("sts:AssumeRole", role),
    ]


def allowed(key: AccessKey, rights: Iterable[Right]) -> dict[Right, bool]:
    """Whether a key may do each of these. What the local AWS cannot be asked is left out."""
    clients: dict[str, Any] = {}
    decided = {}
    for right in rights:
        service = right.action.partition(":")[0]
        if service not in clients:
            clients[service] = _client(service, key)
        decision = _may(clients[service], right)
        if decision is not None:
            decided[right] = decision
    return decided


def _client(service: str, key: AccessKey) -> Any:
    """A client whose calls are not carried out, or None if boto3 has none for this service."""
    if service not in boto3.Session().get_available_services():
        return None
    any_client: Callable[..., Any] = client
    made = any_client(service, key=key, config=Config(retries={"total_max_attempts": 1}, parameter_validation=False))
    made.meta.events.register("before-call", _ask_for_a_dry_run)
    return made


def _may(caller: Any, right: Right) -> bool | None:
    call = _call(caller, right) if caller else None
    if call is None:
        return None
    try:
        call()
    except ClientError as error:
        if is_denied(error):
            return False
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return True if status == dry_run.STATUS else None
    except BotoCoreError:
        return None
    raise AssertionError(f"{right} was carried out")


def _call(caller: Any, right: Right) -> Callable[[], object] | None:
    """The call for a right, or None if there is no operation of this name that names this resource."""
    service, _, operation = right.action.partition(":")
    methods = {api_name: name for name, api_name in caller.meta.method_to_api_mapping.items()}
    if operation not in methods:
        return None
    shape = caller.meta.service_model.operation_model(operation).input_shape
    parameters = _required(shape) if shape is not None else {}
    if right.resource != "*":
        members = shape.members if shape is not None else {}
        member = next((each for each in _RESOURCE_MEMBERS.get(service, ()) if each in members), None)
        if member is None:
            return None
        parameters[member] = _named(member, right.resource, caller.meta.endpoint_url)
    return lambda: getattr(caller, methods[operation])(**parameters)


def _ask_for_a_dry_run(params: Mapping[str, Any], **_: Any) -> None:
    params["headers"][dry_run.HEADER] = "true"


def _named(member: str, arn: str, endpoint: str) -> str:
    """The value of a parameter that names a resource."""
    if member == "QueueUrl":
        _, _, _, _, account, name = arn.split(":", 5)
        return f"{endpoint}/{account}/{name}"
    if member == "QueueName":
        return arn.rpartition(":")[2]
    return arn.rpartition("/")[2] if member.endswith("Name") and member != "FunctionName" else arn


def _required(shape: Any) -> dict[str, Any]:
    return {name: _placeholder(shape.members[name]) for name in shape.required_members}


def _placeholder(shape: Any) -> Any:
    """A value of this shape. What it says is never looked at: the call ends before."""
    if shape.type_name == "structure":
        return _required(shape)
    if shape.type_name == "list":
        return [_placeholder(shape.member)]
    if shape.type_name == "map":
        return {}
    numbers = {"integer": 1, "long": 1, "float": 1.0, "double": 1.0, "boolean": False, "timestamp": 0, "blob": b"x"}
    return numbers.get(shape.type_name, "x" * 20)

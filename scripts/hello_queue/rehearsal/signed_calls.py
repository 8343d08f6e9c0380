"""What the user may do: real calls, signed with the user's key, which the local AWS authorizes and does not carry out.

A call is made from an IAM action and the ARN of its resource, with what botocore knows of the operation. So a call for
any right can be made, not only for those that somebody thought of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.clients import AccessKey, client
from hello_queue.aws.errors import error_code, is_denied
from hello_queue.constants import QUEUE_USER_ACTIONS
from hello_queue.local_aws import dry_run

_NEIGHBOURS = ("sqs:PurgeQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:AddPermission", "sqs:TagQueue")
_OF_USER = ("iam:CreateAccessKey", "iam:PutUserPolicy", "iam:AttachUserPolicy", "iam:DeleteUser")
_ANYWHERE = ("iam:ListUsers", "sqs:ListQueues", "cloudformation:DescribeStacks", "secretsmanager:ListSecrets")

_CARRIED_OUT = ("AssumeRole",)
"""The role's trust policy is asked only then. It changes nothing."""

_NOTHING_STATED: Mapping[str, tuple[str, ...] | None] = {}

_RESOURCE_MEMBERS = {
    "sqs": ("QueueUrl", "QueueName", "SourceArn"),
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
        return f"{self.action}{self.where}"

    @property
    def where(self) -> str:
        """Its resource, for readers."""
        name = self.resource.rpartition(":")[2]
        return "" if name == "*" else f" on {name}"


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


class Caller:
    """Makes calls with one access key, which are not carried out."""

    def __init__(self, key: AccessKey) -> None:
        self._key = key
        self._clients: dict[str, Any] = {}
        self._stated: Mapping[str, Any] = {}

    def may(self, right: Right, context: Mapping[str, tuple[str, ...] | None] = _NOTHING_STATED) -> bool | str:
        """Whether the key has a right, or why the local AWS cannot be asked.

        Args:
            context: the values of condition keys; None for a key that the call shall not have.
        """
        service, _, operation = right.action.partition(":")
        caller = self._client(service)
        if caller is None:
            return f"boto3 has no service {service}"
        call = _call(caller, right)
        if isinstance(call, str):
            return call
        self._stated = {
            key.lower(): values and (values[0] if len(values) == 1 else values) for key, values in context.items()
        }
        try:
            call()
        except ClientError as error:
            if is_denied(error):
                return False
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return True if status == dry_run.STATUS else f"the local AWS answers {error_code(error)}"
        except BotoCoreError as error:
            return f"boto3 refuses it: {type(error).__name__}"
        if operation in _CARRIED_OUT:
            return True
        raise AssertionError(f"{right} was carried out")

    def _client(self, service: str) -> Any:
        """A client whose calls are not carried out, or None if boto3 has none for this service."""
        if service not in self._clients:
            self._clients[service] = None
            if service in boto3.Session().get_available_services():
                any_client: Callable[..., Any] = client
                config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
                made = any_client(service, key=self._key, config=config)
                made.meta.events.register("before-call", self._ask_for_a_dry_run)
                self._clients[service] = made
        return self._clients[service]

    def _ask_for_a_dry_run(self, model: Any, params: Mapping[str, Any], **_: Any) -> None:
        if model.name not in _CARRIED_OUT:
            params["headers"][dry_run.HEADER] = "true"
        if self._stated:
            params["headers"][dry_run.CONTEXT] = json.dumps(self._stated)


def allowed(key: AccessKey, rights: Iterable[Right]) -> dict[Right, bool]:
    """Whether a key has each of these rights. What the local AWS cannot be asked is left out."""
    caller = Caller(key)
    answers = {right: caller.may(right) for right in rights}
    return {right: answer for right, answer in answers.items() if isinstance(answer, bool)}


def _call(caller: Any, right: Right) -> Callable[[], object] | str:
    """The call for a right, or why there is none."""
    service, _, operation = right.action.partition(":")
    methods = {api_name: name for name, api_name in caller.meta.method_to_api_mapping.items()}
    if operation not in methods:
        return f"{service} has no call {operation}"
    shape = caller.meta.service_model.operation_model(operation).input_shape
    parameters = _required(shape) if shape is not None else {}
    if right.resource != "*":
        members = shape.members if shape is not None else {}
        member = next((each for each in _RESOURCE_MEMBERS.get(service, ()) if each in members), None)
        if member is None:
            return f"it is not known how {operation} of {service} names its resource"
        parameters[member] = _named(member, right.resource, caller.meta.endpoint_url)
    return lambda: getattr(caller, methods[operation])(**parameters)


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

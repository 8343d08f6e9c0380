"""Deployed stacks, with their outputs, their resources and the properties that their templates declare."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from hello_queue.aws.errors import error_code
from hello_queue.errors import HelloQueueError

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

_USABLE = {
    *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
    *("IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"),
}


class StackInProgress(HelloQueueError):
    """A stack is being deployed."""


@dataclass(frozen=True)
class Resource:
    """A resource of a deployed stack, with the properties that the template declares."""

    type: str
    physical_id: str
    properties: Mapping[str, Any]


class DeployedStack:
    """A stack in CloudFormation.

    Args:
        cloudformation: a client of CloudFormation.
        stack: one of the stack names in `hello_queue.constants`.
        deployment: the deployment's name, ``""`` for the default one.

    Raises:
        StackInProgress: the stack is being deployed.
        HelloQueueError: the stack does not exist, or its deployment failed.
    """

    def __init__(self, cloudformation: CloudFormationClient, stack: str, deployment: str) -> None:
        self.name = _name(stack, deployment)
        self._cloudformation = cloudformation
        try:
            (described,) = cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if error_code(error) != "ValidationError":
                raise
            named = f" -c deployment={deployment}" if deployment else ""
            raise HelloQueueError(
                f"there is no stack {self.name} in {cloudformation.meta.region_name}: check --deployment, AWS_PROFILE "
                f"and the region, or deploy it with `npx cdk deploy --all{named}`"
            ) from None
        status = described["StackStatus"]
        if status not in _USABLE:
            if status.endswith("_IN_PROGRESS"):
                raise StackInProgress(f"the stack {self.name} is {status}: try again when its deployment has ended")
            raise HelloQueueError(
                f"the stack {self.name} is {status}: its deployment failed. `npx cdk deploy --all` prints the reason"
            )
        self._arn = described["StackId"]
        self.outputs: Mapping[str, str] = {
            output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])
        }

    def resources(self, resource_type: str, **having: Any) -> list[Resource]:
        """The resources of a type whose declared properties have these values."""
        return [
            resource
            for resource in self._resources
            if resource.type == resource_type
            and all(resource.properties.get(name) == value for name, value in having.items())
        ]

    def resource(self, resource_type: str, **having: Any) -> Resource:
        """The only resource of a type whose declared properties have these values."""
        (found,) = self.resources(resource_type, **having)
        return found

    @functools.cached_property
    def _resources(self) -> list[Resource]:
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
        ids = {summary["LogicalResourceId"]: summary["PhysicalResourceId"] for summary in summaries}
        _, partition, _, region, account, _ = self._arn.split(":", 5)
        pseudo = {"AWS::Partition": partition, "AWS::Region": region, "AWS::AccountId": account}
        declared = self._cloudformation.get_template(StackName=self.name)["TemplateBody"]["Resources"]
        return [
            Resource(each["Type"], ids[logical_id], _resolve(each.get("Properties", {}), {**ids, **pseudo}))
            for logical_id, each in declared.items()
        ]


def stack_exists(cloudformation: CloudFormationClient, stack: str, deployment: str) -> bool:
    """Whether a deployment has this stack, which it may lack, in any state. The arguments are those of
    `DeployedStack`."""
    try:
        cloudformation.describe_stacks(StackName=_name(stack, deployment))
    except ClientError as error:
        if error_code(error) != "ValidationError":
            raise
        return False
    return True


def _name(stack: str, deployment: str) -> str:
    return f"{deployment}-{stack}" if deployment else stack


def _resolve(value: Any, references: Mapping[str, str]) -> Any:
    """The value with Ref and Fn::Join resolved. Other intrinsic functions stay unresolved."""
    if isinstance(value, Mapping):
        resolved = {key: _resolve(each, references) for key, each in value.items()}
        if resolved.keys() == {"Ref"}:
            return references.get(resolved["Ref"], resolved)
        if resolved.keys() == {"Fn::Join"}:
            separator, parts = resolved["Fn::Join"]
            return separator.join(parts) if all(isinstance(part, str) for part in parts) else resolved
        return resolved
    if isinstance(value, list):
        return [_resolve(each, references) for each in value]
    return value

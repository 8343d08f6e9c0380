"""What `cdk deploy` left to the scripts: stacks by name, with their outputs, resources and declared properties."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from common.errors import ScriptError

MESSAGING = "HelloQueueMessaging"
IDENTITY = "HelloQueueIdentity"


class DeployedStack:
    """A stack in CloudFormation.

    Raises:
        ScriptError: there is no such stack here.
    """

    def __init__(self, cloudformation: Any, stack: str, deployment: str) -> None:
        """``stack`` is one of this module's names; ``deployment`` is ``""`` for the default one."""
        self.name = f"{deployment}-{stack}" if deployment else stack
        self._cloudformation = cloudformation
        try:
            (described,) = cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            raise ScriptError(
                f"there is no stack {self.name} in {cloudformation.meta.region_name}: deploy it with "
                "`npx cdk deploy --all`, or check --deployment, AWS_PROFILE and the region"
            ) from None
        self.outputs: Mapping[str, str] = {
            output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])
        }

    def properties(self, resource_type: str, **having: Any) -> Mapping[str, Any]:
        """The declared properties of the one resource of this type (that has these properties)."""
        (found,) = [
            resource["Properties"]
            for resource in self._template["Resources"].values()
            if resource["Type"] == resource_type
            and all(resource["Properties"].get(name) == value for name, value in having.items())
        ]
        properties: Mapping[str, Any] = found
        return properties

    def physical_id(self, resource_type: str) -> str:
        """The physical id of the one resource of this type."""
        (found,) = self.physical_ids(resource_type)
        return found

    def physical_ids(self, resource_type: str) -> list[str]:
        """The physical ids of all resources of this type."""
        return [each["PhysicalResourceId"] for each in self._resources if each["ResourceType"] == resource_type]

    @functools.cached_property
    def _template(self) -> Mapping[str, Any]:
        template: Mapping[str, Any] = self._cloudformation.get_template(StackName=self.name)["TemplateBody"]
        return template

    @functools.cached_property
    def _resources(self) -> list[Mapping[str, Any]]:
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        return [resource for page in pages for resource in page["StackResourceSummaries"]]

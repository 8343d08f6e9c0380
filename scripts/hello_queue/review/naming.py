"""The names of resources in a template, which stay the same when a logical id changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hello_queue.review.synthesis import Template

NO_VALUE = {"Ref": "AWS::NoValue"}

_NAMED_BY = (
    *("QueueName", "UserName", "GroupName", "RoleName", "ManagedPolicyName", "PolicyName", "TopicName", "Name"),
    *("FunctionName", "LogGroupName", "AlarmName", "BucketName"),
)


class Names:
    """The names of one template's resources, and its values as text."""

    def __init__(self, template: Template) -> None:
        self._resources: Mapping[str, Any] = template.get("Resources", {})

    def of(self, logical_id: str) -> str:
        """The resource's physical name if it has one, otherwise its logical id."""
        resource = self._resources.get(logical_id, {})
        properties = resource.get("Properties", {})
        # An access key's UserName is the name of the user.
        if resource.get("Type") != "AWS::IAM::AccessKey":
            for name in _NAMED_BY:
                if isinstance(properties.get(name), str):
                    return str(properties[name])
        return logical_id

    def text(self, value: Any) -> str:
        """A value as text: references by name, joined text as ``arn:${AWS::Partition}:…``."""
        if isinstance(value, str):
            return value
        if isinstance(value, Mapping) and len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref":
                return self._reference(argument)
            if function == "Fn::GetAtt":
                parts = argument.split(".", 1) if isinstance(argument, str) else [self.text(part) for part in argument]
                return self._attribute(*parts) if len(parts) == 2 else json.dumps(value)
            if function == "Fn::Join" and isinstance(argument[1], list):
                return self.text(argument[0]).join(self.text(each) for each in argument[1])
            if function == "Fn::Sub" and isinstance(argument, str):
                return argument
        return json.dumps(value, sort_keys=True)

    def plain(self, value: Any) -> Any:
        """The value with every reference as text, and without what is AWS::NoValue."""
        if isinstance(value, list):
            return [self.plain(each) for each in value if each != NO_VALUE]
        if isinstance(value, Mapping):
            if len(value) == 1 and next(iter(value)) in ("Ref", "Fn::GetAtt", "Fn::Join", "Fn::Sub"):
                return self.text(value)
            return {key: self.plain(each) for key, each in value.items() if each != NO_VALUE}
        return value

    def _reference(self, target: str) -> str:
        if target not in self._resources:
            return f"${{{target}}}"
        return f"${{{self.of(target)}}}"

    def _attribute(self, target: str, attribute: str) -> str:
        kind = self._resources.get(target, {}).get("Type")
        name = self.of(target)
        if attribute == "Arn" and name != target:
            # The same text as for an ARN that is put together from the name.
            if kind in ("AWS::SQS::Queue", "AWS::SNS::Topic"):
                service = kind.split("::")[1].lower()
                return f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{name}"
            if kind in ("AWS::IAM::User", "AWS::IAM::Group", "AWS::IAM::Role"):
                return f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:{kind.split('::')[2].lower()}/{name}"
        return f"${{{name}.{attribute}}}"

    def name(self, value: Any) -> str:
        """The name of the resource that a value refers to, or the value itself as text."""
        if isinstance(value, Mapping) and set(value) == {"Ref"} and value["Ref"] in self._resources:
            return self.of(value["Ref"])
        return self.text(value)

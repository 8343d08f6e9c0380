"""The names of resources in a template, which stay the same when a logical id changes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from hello_queue.review.assembly import Template

NO_VALUE = {"Ref": "AWS::NoValue"}

_NAMED_BY = (
    *("QueueName", "UserName", "GroupName", "RoleName", "ManagedPolicyName", "PolicyName", "TopicName", "Name"),
    *("FunctionName", "LogGroupName", "AlarmName", "BucketName"),
)
_NAMED_BY_OTHERS = ("AWS::IAM::AccessKey", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission")
"""Types whose UserName or FunctionName is the name of another resource."""

_REFERENCE = re.compile(r"\$\{(!?)([^{}]+)\}")
"""A reference in the text of Fn::Sub."""

_INTRINSIC = ("Ref", "Fn::GetAtt", "Fn::Join", "Fn::Sub")


class Names:
    """The names of one template's resources, and its values as text.

    Args:
        typed: whether the text of a reference includes the resource's type, so that resources of different types with
            the same name differ.
    """

    def __init__(self, template: Template, *, typed: bool = False) -> None:
        self._resources: Mapping[str, Any] = template.get("Resources", {})
        self._typed = typed

    def of(self, logical_id: str) -> str:
        """The resource's physical name if it has one, otherwise its logical id."""
        return physical_name(self._resources.get(logical_id, {}))[1] or logical_id

    def text(self, value: Any) -> str:
        """A value as text: references by name, joined text as ``arn:${AWS::Partition}:…``."""
        if isinstance(value, str):
            return value
        if isinstance(value, Mapping) and len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref" and isinstance(argument, str):
                return f"${{{self._target(argument)}}}"
            if function == "Fn::GetAtt" and isinstance(argument, (str, list)):
                parts = argument.split(".", 1) if isinstance(argument, str) else [self.text(part) for part in argument]
                return self._attribute(*parts) if len(parts) == 2 else json.dumps(value)
            if function == "Fn::Join" and isinstance(argument, list) and argument and isinstance(argument[-1], list):
                return self.text(argument[0]).join(self.text(each) for each in argument[-1])
            if function == "Fn::Sub" and isinstance(argument, str):
                return _REFERENCE.sub(self._substituted, argument)
        return json.dumps(value, sort_keys=True)

    def plain(self, value: Any) -> Any:
        """The value with every reference as text, and without what is AWS::NoValue."""
        if isinstance(value, list):
            return [self.plain(each) for each in value if each != NO_VALUE]
        if isinstance(value, Mapping):
            if len(value) == 1 and next(iter(value)) in _INTRINSIC:
                return self.text(value)
            return {key: self.plain(each) for key, each in value.items() if each != NO_VALUE}
        return value

    def _substituted(self, found: re.Match[str]) -> str:
        """What Fn::Sub makes of ``${...}``. It leaves ``${!aws:username}`` to IAM, as ``${aws:username}``."""
        escape, target = found.groups()
        name, dot, attribute = target.partition(".")
        if escape:
            return f"${{{target}}}"
        return self._attribute(name, attribute) if dot else f"${{{self._target(target)}}}"

    def _target(self, target: str) -> str:
        name = self.of(target)
        return f"{self._resources[target]['Type']} {name}" if self._typed and target in self._resources else name

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
        return f"${{{self._target(target)}.{attribute}}}"

    def name(self, value: Any) -> str:
        """The name of the resource that a value refers to, or the value itself as text."""
        if isinstance(value, Mapping) and set(value) == {"Ref"} and str(value["Ref"]) in self._resources:
            return self.of(str(value["Ref"]))
        return self.text(value)


def physical_name(resource: Mapping[str, Any]) -> tuple[str, str]:
    """The property that names a resource, and the name; both are empty if AWS or CloudFormation makes up a name."""
    properties = resource.get("Properties", {})
    if resource.get("Type") not in _NAMED_BY_OTHERS:
        for key in _NAMED_BY:
            if isinstance(properties.get(key), str):
                return key, str(properties[key])
    return "", ""


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The value with these names replaced where they stand in an ARN or a path: after ``:`` or ``/``.

    Actions are left alone: a queue may be called ``s3``.
    """
    if not names:
        return value
    if isinstance(value, Mapping):
        return {k: each if k in ("Action", "NotAction") else renamed(each, names) for k, each in value.items()}
    if isinstance(value, list):
        return [renamed(each, names) for each in value]
    return (
        _pattern(names, r"(?<=[:/])", r"(?=$|/)").sub(lambda m: names[m[0]], value) if isinstance(value, str) else value
    )


def in_words_of(text: str, names: Mapping[str, str]) -> str:
    """A sentence with these names replaced."""
    return _pattern(names, r"(?<![\w.-])", r"(?![\w-]|\.\w)").sub(lambda m: names[m[0]], text) if names else text


def _pattern(names: Mapping[str, str], before: str, after: str) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(f"{before}(?:{'|'.join(map(re.escape, longest_first))}){after}")

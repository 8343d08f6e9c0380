"""Types of CloudFormation that ministack lacks: AWS::IAM::Group and AWS::IAM::AccessKey.

Each has create, update and delete handlers that call ministack's IAM functions. A create that fails halfway leaves
nothing behind, so that CloudFormation can roll back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ministack.services import iam
from ministack.services.cloudformation import provisioners

from hello_queue.local_aws.pinned_internals import internal

Properties = dict[str, Any]
Provisioned = tuple[str, dict[str, Any]]
"""Physical id and attributes, as ministack's handlers return them."""

KEYS_PER_USER = 2
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def install() -> None:
    handlers = internal(provisioners, "_RESOURCE_HANDLERS")
    handlers["AWS::IAM::Group"] = {"create": create_group, "update": update_group, "delete": delete_group}
    handlers["AWS::IAM::AccessKey"] = {"create": create_key, "update": update_key, "delete": delete_key}
    replacing = internal(provisioners, "_REPLACING_PROPERTIES")
    replacing["AWS::IAM::Group"] = ("GroupName",)
    replacing["AWS::IAM::AccessKey"] = ("UserName", "Serial")


def create_group(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    name = properties.get("GroupName") or internal(provisioners, "_physical_name")(stack_name, logical_id)
    _call("_create_group", GroupName=name, Path=properties.get("Path", "/"))
    try:
        _reconcile_policies(name, {}, properties)
    except ValueError:
        delete_group(name, properties)
        raise
    return name, _group_attributes(name)


def update_group(name: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
    if old.get("Path", "/") != new.get("Path", "/"):
        raise ValueError("AWS::IAM::Group: the local AWS cannot change Path")
    _reconcile_policies(name, old, new)
    return name, _group_attributes(name)


def delete_group(name: str, properties: Properties) -> None:
    group = _groups().get(name)
    if group is None:
        return
    if group["Users"]:
        raise ValueError(f"Cannot delete entity, must remove users from group first: {', '.join(group['Users'])}")
    for arn in list(group["AttachedPolicies"]):
        _call("_detach_group_policy", GroupName=name, PolicyArn=arn)
    _call("_delete_group", GroupName=name)


def create_key(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
    user = properties["UserName"]
    owned = [key for key in _access_keys().values() if key["UserName"] == user]
    if len(owned) >= KEYS_PER_USER:
        raise ValueError(f"Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}")
    found = re.search("<AccessKeyId>(.+?)</AccessKeyId>", _call("_create_access_key", UserName=user))
    if found is None:
        raise RuntimeError("ministack's response to CreateAccessKey has no AccessKeyId")
    key_id = found.group(1)
    try:
        return update_key(key_id, {}, properties, stack_name)
    except ValueError:
        delete_key(key_id, properties)
        raise


def update_key(key_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
    status = new.get("Status", "Active")
    if status != old.get("Status", "Active"):
        _call("_update_access_key", AccessKeyId=key_id, UserName=new["UserName"], Status=status)
    return key_id, {"SecretAccessKey": _access_keys()[key_id]["SecretAccessKey"]}


def delete_key(key_id: str, properties: Properties) -> None:
    if key_id in _access_keys():
        _call("_delete_access_key", AccessKeyId=key_id)


def _reconcile_policies(name: str, old: Properties, new: Properties) -> None:
    """Change the group's managed and inline policies from those in the old template to those in the new one."""
    attached, wanted = set(old.get("ManagedPolicyArns") or []), set(new.get("ManagedPolicyArns") or [])
    for arn in sorted(wanted - attached):
        if not internal(iam, "policy_known")(arn):
            raise ValueError(f"Policy {arn} does not exist or is not attachable.")
        _call("_attach_group_policy", GroupName=name, PolicyArn=arn)
    for arn in sorted(attached - wanted):
        _call("_detach_group_policy", GroupName=name, PolicyArn=arn)
    inline, wanted_inline = _inline_policies(old), _inline_policies(new)
    for policy in sorted(inline.keys() - wanted_inline.keys()):
        _call("_delete_group_policy", GroupName=name, PolicyName=policy)
    for policy, document in wanted_inline.items():
        _call("_put_group_policy", GroupName=name, PolicyName=policy, PolicyDocument=document)


def _inline_policies(properties: Properties) -> dict[str, str]:
    return {each["PolicyName"]: json.dumps(each["PolicyDocument"]) for each in properties.get("Policies") or []}


def _group_attributes(name: str) -> dict[str, Any]:
    return {"Arn": _groups()[name]["Arn"]}


def _groups() -> Any:
    return internal(iam, "_groups")


def _access_keys() -> Any:
    return internal(iam, "_access_keys")


def _call(function: str, **parameters: str) -> str:
    """Call one of ministack's IAM functions as its HTTP front end does. Returns the body of the response.

    Raises:
        ValueError: IAM refused. CloudFormation reports the message as the resource's status reason.
    """
    call: Callable[[dict[str, str]], tuple[int, Any, bytes]] = internal(iam, function)
    status, _, answer = call(parameters)
    text = answer.decode()
    if status >= 400:
        reason = re.search("<Message>(.*?)</Message>", text, re.DOTALL)
        raise ValueError(reason.group(1) if reason else f"IAM refused {function} with status {status}")
    return text

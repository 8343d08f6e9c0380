"""The types of CloudFormation that the local AWS adds: create, update, replacement, delete and rollback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.conftest import Aws

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
USER = {"Type": "AWS::IAM::User", "Properties": {"UserName": "cfn-user"}}
FAILS = {"Type": "AWS::IAM::User", "Properties": {"UserName": "taken"}}


class Stack:
    """A CloudFormation stack of raw resources, and what IAM has besides the default deployment."""

    def __init__(self, aws: Aws) -> None:
        self.iam = aws.client("iam")
        self._cloudformation = aws.client("cloudformation")
        self._deployed = {*self._names("group"), *self._names("user")}

    def create(self, **resources: Any) -> None:
        self._apply("create_stack", "stack_create_complete", resources)

    def update(self, **resources: Any) -> None:
        self._apply("update_stack", "stack_update_complete", resources)

    def delete(self) -> None:
        self._cloudformation.delete_stack(StackName="raw")
        waiting = {"Delay": 0.1, "MaxAttempts": 100}
        self._cloudformation.get_waiter("stack_delete_complete").wait(StackName="raw", WaiterConfig=waiting)

    def groups(self) -> list[str]:
        return [name for name in self._names("group") if name not in self._deployed]

    def users(self) -> list[str]:
        return [name for name in self._names("user") if name not in self._deployed]

    def _names(self, kind: str) -> list[str]:
        listed = getattr(self.iam, f"list_{kind}s")()[f"{kind.title()}s"]
        return [each[f"{kind.title()}Name"] for each in listed]

    def outputs(self) -> dict[str, str]:
        (stack,) = self._cloudformation.describe_stacks(StackName="raw")["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def _apply(self, call: str, waiter: str, resources: dict[str, Any]) -> None:
        outputs = {
            f"{name}{what}": {"Value": value}
            for name, resource in resources.items()
            for what, value in {
                "AWS::IAM::Group": {"Ref": {"Ref": name}, "Arn": {"Fn::GetAtt": [name, "Arn"]}},
                "AWS::IAM::AccessKey": {"Id": {"Ref": name}, "Secret": {"Fn::GetAtt": [name, "SecretAccessKey"]}},
            }.get(resource["Type"], {}).items()
        }
        body = json.dumps({"Resources": resources, "Outputs": outputs})
        getattr(self._cloudformation, call)(StackName="raw", TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        waiting = {"Delay": 0.1, "MaxAttempts": 100}
        self._cloudformation.get_waiter(waiter).wait(StackName="raw", WaiterConfig=waiting)


@pytest.fixture
def stack(aws: Aws) -> Iterator[Stack]:
    made = Stack(aws)
    yield made
    made.delete()
    for name in made.users():
        made.iam.delete_user(UserName=name)
    assert made.groups() == []


def group(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Group", "Properties": {"GroupName": "cfn-group", **properties}}


def key(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "User"}, **properties}}


def inline(action: str) -> list[dict[str, Any]]:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return [{"PolicyName": "inline", "PolicyDocument": document}]


def attached(stack: Stack, name: str = "cfn-group") -> list[str]:
    return [each["PolicyArn"] for each in stack.iam.list_attached_group_policies(GroupName=name)["AttachedPolicies"]]


def keys(stack: Stack) -> dict[str, str]:
    listed = stack.iam.list_access_keys(UserName="cfn-user")["AccessKeyMetadata"]
    return {each["AccessKeyId"]: each["Status"] for each in listed}


def test_the_life_cycle_of_a_group(stack: Stack) -> None:
    stack.create(Group=group(ManagedPolicyArns=[READ_ONLY]))
    assert stack.outputs()["GroupRef"] == "cfn-group"
    assert stack.outputs()["GroupArn"] == "arn:aws:iam::111122223333:group/cfn-group"
    assert attached(stack) == [READ_ONLY]

    stack.update(Group=group(ManagedPolicyArns=[ADMINISTRATOR], Policies=inline("sqs:ListQueues")))
    assert attached(stack) == [ADMINISTRATOR]
    policy = stack.iam.get_group_policy(GroupName="cfn-group", PolicyName="inline")["PolicyDocument"]
    assert policy["Statement"][0]["Action"] == "sqs:ListQueues"

    stack.update(Group=group(GroupName="renamed"))
    assert stack.groups() == ["renamed"]
    assert attached(stack, "renamed") == []

    stack.delete()
    assert stack.groups() == []


def test_a_group_without_a_name_gets_one(stack: Stack) -> None:
    stack.create(Group={"Type": "AWS::IAM::Group"})
    (name,) = stack.groups()
    assert name.startswith("raw-Group-")


def test_a_group_with_an_unknown_policy_is_not_created(stack: Stack) -> None:
    with pytest.raises(WaiterError):
        stack.create(Group=group(ManagedPolicyArns=["arn:aws:iam::111122223333:policy/nope"]))
    assert stack.groups() == []


def test_a_group_rolls_back(stack: Stack) -> None:
    stack.iam.create_user(UserName="taken")
    with pytest.raises(WaiterError):
        stack.create(Group=group(ManagedPolicyArns=[READ_ONLY]), Fails={**FAILS, "DependsOn": "Group"})
    assert stack.groups() == []
    stack.delete()

    stack.create(Group=group(ManagedPolicyArns=[READ_ONLY]))
    with pytest.raises(WaiterError):
        stack.update(Group=group(ManagedPolicyArns=[ADMINISTRATOR]), Fails={**FAILS, "DependsOn": "Group"})
    assert attached(stack) == [READ_ONLY]


def test_a_group_with_other_members_is_not_deleted(stack: Stack) -> None:
    stack.create(Group=group())
    stack.iam.create_user(UserName="guest")
    stack.iam.add_user_to_group(GroupName="cfn-group", UserName="guest")
    with pytest.raises(WaiterError):
        stack.delete()
    stack.iam.remove_user_from_group(GroupName="cfn-group", UserName="guest")
    stack.delete()


def test_the_life_cycle_of_an_access_key(stack: Stack, aws: Aws) -> None:
    stack.create(User=USER, Key=key())
    first = stack.outputs()["KeyId"], stack.outputs()["KeySecret"]
    assert keys(stack) == {first[0]: "Active"}
    caller = aws.client("sts", first).get_caller_identity()["Arn"]
    assert caller == "arn:aws:iam::111122223333:user/cfn-user"

    stack.update(User=USER, Key=key(Status="Inactive"))
    assert keys(stack) == {first[0]: "Inactive"}
    with pytest.raises(Exception, match="InvalidClientTokenId"):
        aws.client("sts", first).get_caller_identity()
    assert stack.outputs()["KeySecret"] == first[1]

    stack.update(User=USER, Key=key(Serial=2))
    second = stack.outputs()["KeyId"]
    assert keys(stack) == {second: "Active"}
    assert second != first[0]

    stack.delete()
    assert stack.users() == []


def test_a_user_has_at_most_two_access_keys(stack: Stack) -> None:
    stack.create(User=USER, One=key(), Two=key())
    assert len(keys(stack)) == 2
    with pytest.raises(WaiterError):
        stack.update(User=USER, One=key(), Two=key(), Three=key())
    assert len(keys(stack)) == 2


def test_an_access_key_rolls_back(stack: Stack) -> None:
    stack.iam.create_user(UserName="taken")
    with pytest.raises(WaiterError):
        stack.create(User=USER, Key=key(), Fails={**FAILS, "DependsOn": "Key"})
    assert stack.users() == ["taken"]


def test_an_incompatible_ministack_is_reported() -> None:
    import ministack

    from hello_queue.local_aws.pinned_internals import internal

    with pytest.raises(RuntimeError, match=r"has no ministack._gone, .* install the version that requirements-dev.txt"):
        internal(ministack, "_gone")

"""The rights in templates: what their policies allow and deny, and to whom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hello_queue.review.assembly import Template, Templates
from hello_queue.review.naming import Names
from hello_queue.review.right import ANYONE, OF_TEMPLATE, Right, Rights
from hello_queue.review.rights.principals import account_of
from hello_queue.review.rights.statements import Statement, listed, parse, resource_pattern, undecided

IDENTITIES = {"AWS::IAM::User": "user", "AWS::IAM::Group": "group", "AWS::IAM::Role": "role"}
_ATTACHED_BY = {"Users": "user", "Groups": "group", "Roles": "role", "UserName": "user", "GroupName": "group"}
_ATTACHED_BY |= {"RoleName": "role"}
_POLICIES_AS_TEXT = ("PolicyDocument", "ResourcePolicy", "KeyPolicy", "Policy", "AccessPolicy", "InlinePolicy")
_ATTACHED_TO = ("Queues", "Topics", "Bucket", "SecretId")
_POLICIES = tuple(
    f"AWS::IAM::{kind}" for kind in ("Policy", "ManagedPolicy", "UserPolicy", "GroupPolicy", "RolePolicy")
)
_MANAGED = {
    "AdministratorAccess": Statement(True, ("*",)),
    "IAMFullAccess": Statement(True, ("iam:*",)),
    "PowerUserAccess": Statement(True, ("iam:*", "organizations:*", "account:*"), but_actions=True),
}
"""What matters of policies of AWS. The documents of all others are not known here."""
_HERE = re.compile(r"\$\{AWS::(Region|AccountId)\}")
_HOLDER_OF = "any holder of policy "
_LAMBDA_CONDITIONS = {"SourceArn": "ArnLike", "SourceAccount": "StringEquals", "PrincipalOrgID": "StringEquals"}


def rights_of(templates: Templates) -> Rights:
    """Everything that the templates' policies allow and deny.

    A resource with a Condition may not exist: whether its statements hold is not known before the deployment.
    """
    found = Rights()
    for stack, template in templates.items():
        resources = template.get("Resources", {})
        for logical_id, right in _Reader(template, found).rights():
            condition = resources[logical_id].get("Condition")
            if condition:
                statement = right.statement
                unknown = undecided(f"the template's condition {condition}")
                shown = json.dumps([json.loads(right.condition), {OF_TEMPLATE: condition}])
                statement = replace(statement, conditions=(*statement.conditions, unknown))
                right = replace(right, statement=statement, condition=shown)
            found.all.append(replace(right, where=f"{stack}/{logical_id}"))
    return found


class _Reader:
    """Reads the rights in one template."""

    def __init__(self, template: Template, rights: Rights) -> None:
        self._names, self._rights = Names(template), rights
        self._resources: Mapping[str, Any] = {
            logical_id: resource
            for logical_id, resource in template.get("Resources", {}).items()
            if isinstance(resource, Mapping) and isinstance(resource.get("Type"), str)
        }
        self._holders: dict[str, list[str]] = {}  # of managed policies in this template

    def rights(self) -> Iterator[tuple[str, Right]]:
        for logical_id, resource in self._resources.items():
            for right in self._of_identity(logical_id, resource):
                yield logical_id, right
        for user, group, _ in members(self._resources, self._names):
            self._rights.members.setdefault(f"user {user}", set()).add(f"group {group}")
        for logical_id, resource in self._resources.items():
            for right in self._of_resource(logical_id, resource):
                yield logical_id, right

    def _of_identity(self, logical_id: str, resource: Mapping[str, Any]) -> Iterator[Right]:
        """The rights that come from managed policies outside the template; notes who has those inside."""
        kind, names = IDENTITIES.get(resource["Type"]), self._names
        if not kind:
            return
        properties, who = resource.get("Properties", {}), f"{kind} {names.of(logical_id)}"
        self._rights.aliases[names.text({"Fn::GetAtt": [logical_id, "Arn"]})] = who
        for policy in listed(properties.get("ManagedPolicyArns")):
            if self._is_here(policy):
                self._holders.setdefault(policy["Ref"], []).append(who)
                continue
            arn = names.text(policy)
            own_account = ":iam::aws:policy/" not in arn
            name = arn.rpartition("/")[2]
            known = None if own_account else _MANAGED.get(name)
            label = "" if name == "AdministratorAccess" and known else f"do everything that {arn} allows"
            statement = known or Statement(True, (f"managed-policy:{_plain(arn)}",))
            yield Right(who, statement, label=label, is_identity=True)
            if not known:
                self._rights.incomplete.add(who)
                if own_account or "Deny" in name:
                    denial = Statement(False, ("*",), conditions=(undecided(f"{arn} denies it"),))
                    yield Right(who, denial, label=f"what {arn} denies", is_identity=True)
        boundary = properties.get("PermissionsBoundary")
        if self._is_here(boundary):
            self._rights.limits.add(f"{_HOLDER_OF}{names.of(boundary['Ref'])}")
            document = self._resources[boundary["Ref"]].get("Properties", {}).get("PolicyDocument")
            limits = self._statements(document, [who], names.of(boundary["Ref"]))
            self._rights.boundaries[who] = tuple(right.statement for right in limits if right.is_certain)

    def _is_here(self, policy: Any) -> bool:
        return isinstance(policy, Mapping) and set(policy) == {"Ref"} and str(policy["Ref"]) in self._resources

    def _of_resource(self, logical_id: str, resource: Mapping[str, Any]) -> Iterator[Right]:
        kind, properties, names = resource["Type"], resource.get("Properties", {}), self._names
        name = names.of(logical_id)
        if kind in _POLICIES:
            who = list(self._holders.get(logical_id, ()))
            for attribute, principal in _ATTACHED_BY.items():
                who += [f"{principal} {names.name(each)}" for each in listed(properties.get(attribute))]
            yield from self._statements(properties.get("PolicyDocument"), who or [f"{_HOLDER_OF}{name}"], name)
        elif kind in IDENTITIES:
            for policy in listed(properties.get("Policies")):
                readable = isinstance(policy, Mapping) and "PolicyDocument" in policy
                yield from self._statements(
                    policy["PolicyDocument"] if readable else policy, [f"{IDENTITIES[kind]} {name}"], name
                )
            for right in self._statements(properties.get("AssumeRolePolicyDocument"), None, f"role {name}"):
                yield replace(right, world=f"role {name}")
        elif kind == "AWS::Lambda::Permission":
            yield from self._statements(_lambda_permission(properties), None, name)
        else:
            yield from self._of_documents(logical_id, properties)

    def _of_documents(self, logical_id: str, properties: Mapping[str, Any]) -> Iterator[Right]:
        """The rights in whatever looks like a policy, as those of queues, topics, secrets, buckets and keys do."""
        names = self._names
        attached = [each for key in _ATTACHED_TO for each in listed(properties.get(key))]
        for document in _documents(properties, names):
            for right in self._statements(document, None, names.of(logical_id)):
                if not attached:
                    own = names.of(logical_id)
                    yield replace(right, attached=own, world=own)
                for target in attached:
                    yield from self._narrowed(right, target)

    def _narrowed(self, right: Right, target: Any) -> Iterator[Right]:
        """The right of a resource policy, on nothing but its resource."""
        name, statement = self._names.name(target), right.statement
        right = replace(right, attached=name)
        arns = {arn: arn.replace("${AWS::Partition}", "aws") for arn in self._arns(target)}
        if statement.but_resources or not right.is_certain:
            yield right
            return
        for text in statement.resources:
            plain = text.replace("${AWS::Partition}", "aws")
            one = resource_pattern(plain)
            covered = tuple(arn for arn, its_own in arns.items() if one.matches(its_own))
            # An account or a region in a policy may be that of the deployment.
            anywhere = (_HERE.sub("*", its_own) for its_own in arns.values())
            if not covered and any(resource_pattern(each).matches(plain) for each in anywhere):
                covered = (text,)
            # What a policy says about another resource has no effect; an Allow counts all the same.
            if covered or statement.allows:
                yield replace(right, statement=replace(statement, resources=covered or (text,)), shown=(text,))

    def _arns(self, target: Any) -> list[str]:
        """The ARNs of the resource that a policy belongs to."""
        names = self._names
        if self._is_here(target):
            kind = self._resources[target["Ref"]]["Type"]
            if kind == "AWS::SQS::Queue":
                return [names.text({"Fn::GetAtt": [target["Ref"], "Arn"]})]
            if kind == "AWS::SNS::Topic":  # its Ref is its ARN
                return [names.text(target), names.text({"Fn::GetAtt": [target["Ref"], "TopicArn"]})]
        name = names.name(target)
        if self._is_here(target) and self._resources[target["Ref"]]["Type"] == "AWS::S3::Bucket":
            own = [f"arn:${{AWS::Partition}}:s3:::{name}", names.text({"Fn::GetAtt": [target["Ref"], "Arn"]})]
            return [*own, *(f"{each}/*" for each in own)]
        return [names.text(target)]

    def _statements(self, document: Any, who: list[str] | None, where: str) -> Iterator[Right]:
        """The rights in a policy document: those of ``who``, or of the principals that its statements name."""
        names = self._names
        if document is None:
            return
        if not isinstance(document, Mapping) or "Statement" not in document:
            yield from self._unreadable(document, who)
            return
        for source in listed(document["Statement"]):
            readable = isinstance(source, Mapping) and source.get("Effect") in ("Allow", "Deny")
            if not readable or not ("Action" in source or "NotAction" in source):
                yield from self._unreadable(source, who)
                continue
            plain = {**source, "Condition": names.plain(source.get("Condition", {}))}
            for element in ("Action", "NotAction", "Resource", "NotResource"):
                if element in source:
                    plain[element] = [names.text(each) for each in listed(source[element])]
            if "Resource" not in plain and "NotResource" not in plain:
                plain["Resource"] = [where]
            condition = json.dumps(plain["Condition"], sort_keys=True)
            excepted = frozenset(_principals({"Principal": source.get("NotPrincipal")}, names))
            for statement, _ in parse({"Version": document.get("Version"), "Statement": plain}):
                for holder in who if who is not None else _principals(source, names):
                    yield Right(
                        holder,
                        statement,
                        condition,
                        excepted=excepted if "NotPrincipal" in source else frozenset(),
                        is_identity=who is not None,
                    )

    def _unreadable(self, policy: Any, who: list[str] | None) -> Iterator[Right]:
        """What is decided at deploy time, by Fn::If for example, may allow anything."""
        text = json.dumps(self._names.plain(policy), sort_keys=True)
        statement = Statement(True, (f"unreadable:{_plain(text)}",))
        for holder in who if who is not None else ["whoever the policy names"]:
            yield Right(
                holder,
                statement,
                label=f"do what {text} allows, which is decided at deploy time",
                is_identity=who is not None,
            )


def members(resources: Mapping[str, Any], names: Names) -> Iterator[tuple[str, str, str]]:
    """User, group, and the logical id of the resource that adds the one to the other."""
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::User":
            for group in listed(properties.get("Groups")):
                yield names.of(logical_id), names.name(group), logical_id
        if resource["Type"] == "AWS::IAM::UserToGroupAddition":
            for user in listed(properties.get("Users")):
                yield names.name(user), names.name(properties.get("GroupName")), logical_id


def _plain(text: str) -> str:
    """The text without wildcards, as the name of an action."""
    return text.translate({ord("*"): "+", ord("?"): "+"})


def _lambda_permission(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    conditions: dict[str, dict[str, Any]] = {}
    for name, operator in _LAMBDA_CONDITIONS.items():
        if name in properties:
            conditions.setdefault(operator, {})[f"aws:{name}"] = properties[name]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": properties.get("Principal")},
        "Action": properties.get("Action"),
        "Resource": properties.get("FunctionName"),
        "Condition": conditions,
    }
    return {"Statement": [statement]}


def _documents(value: Any, names: Names, key: str = "") -> Iterator[Any]:
    """The policy documents in a property: what has statements, and text in a property named like a policy."""
    text = isinstance(value, str) or (isinstance(value, Mapping) and len(value) == 1 and "Statement" not in value)
    if text and key in _POLICIES_AS_TEXT:
        try:
            yield json.loads(names.text(value))
        except ValueError:
            yield {"unreadable": value}
    elif isinstance(value, Mapping):
        if "Statement" in value:
            yield value
            return
        for name, each in value.items():
            yield from _documents(each, names, name)
    elif isinstance(value, list):
        for each in value:
            yield from _documents(each, names, key)


def _principals(statement: Mapping[str, Any], names: Names) -> list[str]:
    if "NotPrincipal" in statement:
        excepted = _principals({"Principal": statement["NotPrincipal"]}, names)
        return [f"{ANYONE} but {', '.join(excepted)}"]
    principal = statement.get("Principal", "*")
    if not isinstance(principal, Mapping):
        principal = {"AWS": principal}
    return [_holder(kind, names.text(each)) for kind, values in principal.items() for each in listed(values)]


def _holder(kind: str, name: str) -> str:
    if name == "*":
        return ANYONE
    return (account_of(name) or name) if kind == "AWS" else f"{kind.lower()} {name}"

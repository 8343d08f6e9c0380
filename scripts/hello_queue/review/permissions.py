"""The rights in a template, and what one template allows that another did not.

Rights are compared by who has them, not by where they are written: a policy that moves, is renamed, or turns from
inline to managed gives no one anything new. Where it is not certain that an old right covers a new one, the new one
counts as wider: a needless question is better than a missing one.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hello_queue.review.naming import Names
from hello_queue.review.synthesis import Template, Templates

_PRINCIPALS = {
    "AWS::IAM::User": "user",
    "AWS::IAM::Group": "group",
    "AWS::IAM::Role": "role",
}
_ATTACHED_BY = {"Users": "user", "Groups": "group", "Roles": "role", "UserName": "user", "GroupName": "group"}
_ATTACHED_BY |= {"RoleName": "role"}
_POLICIES_AS_TEXT = ("PolicyDocument", "ResourcePolicy", "KeyPolicy", "Policy", "AccessPolicy", "InlinePolicy")
_ATTACHED_TO = ("Queues", "Topics", "Bucket", "SecretId")
_POLICIES = tuple(
    f"AWS::IAM::{kind}" for kind in ("Policy", "ManagedPolicy", "UserPolicy", "GroupPolicy", "RolePolicy")
)

ALL_BUT = "everything but "


@dataclass(frozen=True)
class Right:
    """One action that a principal is allowed or denied.

    Attributes:
        who: the principal.
        effect: Allow or Deny.
        action: may have wildcards.
        resource: may have wildcards.
        condition: as JSON with sorted keys.
        but: the actions excluded by NotAction.
        attached: for a resource policy, the resource that has it.
        where: the resource that contains the statement, as stack/logical id.
    """

    who: str
    effect: str
    action: str
    resource: str
    condition: str = "{}"
    but: frozenset[str] = frozenset()
    attached: str = ""
    where: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.summary([self])

    @staticmethod
    def summary(rights: list[Right]) -> str:
        """Rights that differ only in their actions, as one line."""
        first = rights[0]
        actions = sorted(f"{ALL_BUT}{', '.join(sorted(each.but))}" if each.but else each.action for each in rights)
        condition = "" if first.condition == "{}" else f" if {first.condition}"
        of = "" if first.attached in first.resource else f" (of {first.attached})"
        return f"{first.effect.lower()} {', '.join(actions)} on {first.resource}{of}{condition}"

    def covers(self, other: Right) -> bool:
        """Whether this right includes the other, conditions aside."""
        if (self.who, self.effect, self.attached) != (other.who, other.effect, other.attached):
            return False
        if not self._covers_resource(other):
            return False
        if self.but:
            if other.but:
                return all(any(contains(theirs, ours) for theirs in other.but) for ours in self.but)
            return not any(overlap(ours, other.action) for ours in self.but)
        return self.action == "*" or (not other.but and contains(self.action, other.action))

    def _covers_resource(self, other: Right) -> bool:
        if self.resource.startswith(ALL_BUT):  # not a pattern
            return self.resource == other.resource
        return contains(self.resource, other.resource, ignore_case=False)

    @property
    def conditions(self) -> set[tuple[str, str, str]]:
        """Each condition as operator, key and value."""
        document = json.loads(self.condition)
        if not isinstance(document, Mapping) or not all(isinstance(keys, Mapping) for keys in document.values()):
            return {("decided at deploy time", "", self.condition)}
        return {
            (operator, key, json.dumps(value)) for operator, keys in document.items() for key, value in keys.items()
        }


def contains(wide: str, narrow: str, *, ignore_case: bool = True) -> bool:
    """Whether pattern ``wide`` matches everything that ``narrow`` matches. Actions ignore case, ARNs do not."""
    # A ? in the wide one does not match a * in the narrow one, which can be longer.
    pattern = "".join({"*": ".*", "?": "[^*]"}.get(character, re.escape(character)) for character in wide)
    return re.fullmatch(pattern, narrow, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def overlap(one: str, other: str) -> bool:
    """Whether two patterns may match the same text; also True if that is uncertain."""
    if "*" not in one + other and "?" not in one + other:
        return one.lower() == other.lower()
    before_one, before_other = (re.split(r"[*?]", text.lower(), maxsplit=1)[0] for text in (one, other))
    return before_one.startswith(before_other) or before_other.startswith(before_one)


def rights(templates: Templates) -> set[Right]:
    """Everything that the templates' policies allow and deny.

    A resource with a Condition may not exist: what it allows counts, what it denies does not.
    """
    return {
        replace(right, where=f"{stack}/{logical_id}")
        for stack, template in templates.items()
        for logical_id, right in _rights(template)
        if right.effect == "Allow" or "Condition" not in template["Resources"][logical_id]
    }


def _rights(template: Template) -> Iterator[tuple[str, Right]]:
    names = Names(template)
    resources = template.get("Resources", {})
    attached: dict[str, list[str]] = {}
    for logical_id, resource in resources.items():
        kind = _PRINCIPALS.get(resource["Type"])
        for policy in resource.get("Properties", {}).get("ManagedPolicyArns", []) if kind else []:
            who = f"{kind} {names.of(logical_id)}"
            if isinstance(policy, Mapping) and set(policy) == {"Ref"} and policy["Ref"] in resources:
                attached.setdefault(policy["Ref"], []).append(who)
            else:
                yield logical_id, _managed(who, names.text(policy))
    for logical_id, resource in resources.items():
        for right in _rights_of_resource(logical_id, resource, attached.get(logical_id, []), names):
            yield logical_id, right


def _managed(who: str, arn: str) -> Right:
    """The right that a managed policy grants whose document is not in the template."""
    if arn.endswith(":iam::aws:policy/AdministratorAccess"):
        return Right(who, "Allow", "*", "*")
    return Right(who, "Allow", f"everything in {arn}", "*")


def _rights_of_resource(
    logical_id: str, resource: Mapping[str, Any], holders: list[str], names: Names
) -> Iterator[Right]:
    kind, properties = resource["Type"], resource.get("Properties", {})
    name = names.of(logical_id)
    if kind in _POLICIES:
        who = list(holders)
        for attribute, principal in _ATTACHED_BY.items():
            who += [f"{principal} {names.name(each)}" for each in _listed(properties.get(attribute))]
        yield from _statements(properties.get("PolicyDocument"), who or [f"any holder of policy {name}"], name, names)
        return
    if kind in _PRINCIPALS:
        who = [f"{_PRINCIPALS[kind]} {name}"]
        for policy in _listed(properties.get("Policies")):
            readable = isinstance(policy, Mapping) and "PolicyDocument" in policy
            yield from _statements(policy["PolicyDocument"] if readable else policy, who, name, names)
        yield from _statements(properties.get("AssumeRolePolicyDocument"), None, f"role {name}", names)
        return
    if kind == "AWS::Lambda::Permission":
        condition = {
            key: properties[key] for key in ("SourceArn", "SourceAccount", "PrincipalOrgID") if key in properties
        }
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": properties.get("Principal")},
            "Action": properties.get("Action"),
            "Resource": properties.get("FunctionName"),
            **({"Condition": {"Equals": condition}} if condition else {}),
        }
        yield from _statements({"Statement": [statement]}, None, name, names)
        return
    # Any other resource: whatever looks like a policy, as those of queues, topics, secrets, buckets and keys do.
    targets = [names.name(each) for key in _ATTACHED_TO for each in _listed(properties.get(key))] or [name]
    for document in _documents(properties, names):
        for right in _statements(document, None, name, names):
            yield from (replace(right, attached=target) for target in targets)


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


def _statements(document: Any, who: list[str] | None, where: str, names: Names) -> Iterator[Right]:
    """The rights in a policy document: those of ``who``, or of the principals that its statements name."""
    if document is None:
        return
    if not isinstance(document, Mapping) or "Statement" not in document:
        yield from _unreadable(document, who, names)
        return
    for statement in _listed(document["Statement"]):
        readable = isinstance(statement, Mapping) and statement.get("Effect") in ("Allow", "Deny")
        if not readable or not ("Action" in statement or "NotAction" in statement):
            yield from _unreadable(statement, who, names)
            continue
        holders = who if who is not None else _principals(statement, names)
        condition = _text_of(statement.get("Condition", {}), names)
        resources = [names.text(each) for each in _listed(statement.get("Resource"))] or [where]
        if "NotResource" in statement:
            but = ", ".join(sorted(names.text(each) for each in _listed(statement["NotResource"])))
            resources = [f"{ALL_BUT}{but}"]
        excluded = frozenset(names.text(each) for each in _listed(statement.get("NotAction")))
        actions = ["*"] if excluded else [names.text(each) for each in _listed(statement.get("Action"))]
        for holder, action, resource in itertools.product(holders, actions, resources):
            yield Right(holder, statement["Effect"], action, resource, condition, excluded)


def _unreadable(policy: Any, who: list[str] | None, names: Names) -> Iterator[Right]:
    """What is decided at deploy time, by Fn::If for example, may allow anything."""
    for holder in who if who is not None else ["any principal it names"]:
        yield Right(holder, "Allow", f"anything in: {_text_of(policy, names)}", "*")


def _principals(statement: Mapping[str, Any], names: Names) -> list[str]:
    if "NotPrincipal" in statement:
        return [f"anyone but {_text_of(statement['NotPrincipal'], names)}"]
    principal = statement.get("Principal", "*")
    if not isinstance(principal, Mapping):
        principal = {"AWS": principal}
    return [_holder(kind, names.text(each)) for kind, values in principal.items() for each in _listed(values)]


def _holder(kind: str, name: str) -> str:
    if name == "*":
        return "anyone"
    return name if kind == "AWS" else f"{kind.lower()} {name}"


def _text_of(document: Any, names: Names) -> str:
    return json.dumps(names.plain(document), sort_keys=True)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Widening:
    """A right that is new or has weaker conditions, or a denial that is gone or narrower.

    Attributes:
        right: the new right; or what is left of the denial; or the denial itself, if nothing is left.
        before: the right under its old conditions, or the old denial; None if the right is new.
    """

    right: Right
    before: Right | None


def widenings(before: Iterable[Right], after: Iterable[Right]) -> list[Widening]:
    """What ``after`` allows or no longer denies, compared with ``before``."""
    before, after = set(before), set(after)
    found = []
    for right in sorted(after - before, key=str):
        if right.effect == "Allow":
            covering = [old for old in before if old.covers(right)]
            # Additional conditions narrow a right; fewer or other ones do not.
            if not any(old.conditions <= right.conditions for old in covering):
                found.append(Widening(right, min(covering, key=str) if covering else None))
    for right in sorted((right for right in before - after if right.effect == "Deny"), key=str):
        # Fewer conditions deny more.
        if not any(new.covers(right) and new.conditions <= right.conditions for new in after):
            left = [new for new in after if (new.who, new.effect, new.resource) == (right.who, "Deny", right.resource)]
            found.append(Widening(min(left, key=str) if left else right, right))
    return found

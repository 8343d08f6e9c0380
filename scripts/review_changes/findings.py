"""What in a change needs a person's decision, and what is harmless. In words for somebody who does not know the CDK."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import ScriptError
from common.tools import ROOT, environment_with_tools
from review_changes import permissions
from review_changes.naming import Names
from review_changes.synthesis import Template, Templates

WHY = {
    "wider-rights": "Somebody may do what they could not do before.",
    "weaker-condition": "What was bound to a condition (TLS, MFA, a source) is less bound, or not at all.",
    "weaker-denial": "Something that was forbidden no longer is, or only in fewer cases.",
    "new-trust": "Somebody else may act as this role.",
    "new-member": "A member of a group has all rights of the group.",
    "new-user": "Another identity that can be given keys and a password, and that somebody must look after.",
    "new-access-key": "A long-lived secret that works from anywhere until it is deleted.",
    "console-access": "A password opens the AWS console.",
    "exposed-secret": "A secret could be read by whoever may read the stack, its outputs or its parameters.",
    "data-loss": "Messages would be lost, or more easily lost than before.",
    "less-protection": "Encryption, logging or another safeguard is weaker or gone.",
    "unseen": "What this makes or allows cannot be seen in the templates.",
    "new-acknowledgment": "A security rule no longer applies here. Is the reason good?",
}
"""The kinds of findings that need a decision, and why each of them does."""

NOT_THERE = "nothing"


@dataclass(frozen=True)
class Finding:
    """Something that needs a decision.

    ``what`` tells it from others of its kind, and stays the same as long as the change does: people accept by it.
    """

    kind: str
    what: str
    stack: str
    resource: str
    attribute: str
    before: str
    after: str

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.what}"


@dataclass(frozen=True)
class Note:
    """A change that is harmless as far as can be told from the templates."""

    stack: str
    text: str


@dataclass(frozen=True)
class _Change:
    """What happens to one resource."""

    stack: str
    logical_id: str
    name: str
    name_before: str
    type: str
    impact: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    """The whole resource, with references as text; empty where there is none."""
    properties: tuple[Mapping[str, Any], ...]

    @property
    def is_gone(self) -> bool:
        return not self.after

    @property
    def is_replaced(self) -> bool:
        return bool(self.before and self.after) and self.impact in ("WILL_REPLACE", "MAY_REPLACE")

    def values(self, name: str) -> tuple[Any, Any]:
        """A property before and after; None where it is not there."""
        before, after = (resource.get("Properties", {}).get(name) for resource in (self.before, self.after))
        return before, after

    def finding(self, kind: str, what: str, prop: str, before: Any, after: Any) -> Finding:
        return Finding(kind, what, self.stack, self.logical_id, prop, _shown(before), _shown(after))


def compare(before: Templates, after: Templates) -> tuple[list[Finding], list[Note]]:
    """What changes from ``before`` to ``after``: what needs a decision, and all the rest, a line each."""
    changes = [change for stack in sorted({*before, *after}) for change in _changes(stack, before, after)]
    findings = [
        *_rights(before, after, changes),
        *_memberships(before, after),
        *(finding for change in changes for finding in _identity(change)),
        *_secrets(before, after),
        *(finding for change in changes for finding in _data(change)),
        *(finding for change in changes for finding in _protection(change)),
        *(finding for change in changes for finding in _unseen(change)),
        *_transforms(before, after),
    ]
    notes = [Note(change.stack, _described(change)) for change in changes]
    for stack in sorted({*before, *after}):
        ours, theirs = before.get(stack, {}), after.get(stack, {})
        for section in sorted({*ours, *theirs} - {"Resources"}):
            notes += _section_notes(stack, section, ours.get(section, {}), theirs.get(section, {}))
    return list(dict.fromkeys(findings)), notes


def compare_ledgers(before: list[dict[str, str]], after: list[dict[str, str]]) -> tuple[list[Finding], list[Note]]:
    """Which excused findings are new, and which are gone or have another reason."""

    def keyed(entries: list[dict[str, str]]) -> dict[tuple[str, str], str]:
        return {(each["where"], each["finding"]): each["reason"] for each in entries}

    old, new = keyed(before), keyed(after)
    findings, notes = [], []
    for (where, rule), reason in new.items():
        stack, _, resource = where.partition("/")
        if (where, rule) not in old:
            what = f"{rule} on {where}"
            findings.append(Finding("new-acknowledgment", what, stack, resource, rule, NOT_THERE, reason))
        elif old[where, rule] != reason:
            notes.append(Note(stack, f"the reason why {rule} is excused on {resource} reads otherwise: {reason}"))
    notes += [
        Note(where.partition("/")[0], f"{rule} on {where} is no longer excused") for where, rule in old.keys() - new
    ]
    return findings, notes


def _changes(stack: str, before: Templates, after: Templates) -> Iterator[_Change]:
    old, new = before.get(stack, {}), after.get(stack, {})
    if old == new:
        return
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("changes.cjs"))],
        cwd=ROOT,
        env=environment_with_tools(),
        input=json.dumps({"before": old, "after": new}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ScriptError(f"the templates of {stack} cannot be compared:\n{done.stderr.strip()}")
    for change in json.loads(done.stdout):
        logical_id = change["id"]
        ours, theirs = (template.get("Resources", {}).get(logical_id, {}) for template in (old, new))
        ours, theirs = _with_names(ours, Names(old)), _with_names(theirs, Names(new))
        # What has another type under the old logical id is another resource: one goes, one comes.
        another = bool(ours and theirs and ours["Type"] != theirs["Type"])
        for one, other in ((ours, {}), ({}, theirs)) if another else ((ours, theirs),):
            name_before = Names(old).of(logical_id)
            yield _Change(
                stack,
                logical_id,
                name=Names(new).of(logical_id) if other else name_before,
                name_before=name_before,
                type=(other or one)["Type"],
                impact=change["impact"],
                before=one,
                after=other,
                properties=() if another else tuple(change["properties"]),
            )


def _with_names(resource: Mapping[str, Any], names: Names) -> Mapping[str, Any]:
    """The resource, with its properties' references as text."""
    return {**resource, "Properties": names.plain(resource.get("Properties", {}))} if resource else {}


def _rights(before: Templates, after: Templates, changes: list[_Change]) -> Iterator[Finding]:
    gone = {change.name_before for change in changes if change.before} - {
        Names(template).of(logical_id) for template in after.values() for logical_id in template.get("Resources", {})
    }
    groups: dict[tuple[str, ...], list[permissions.Widening]] = {}
    for widening in permissions.widenings(permissions.rights(before), permissions.rights(after)):
        right, old = widening.right, widening.before
        if right.effect == "Deny":
            assert old is not None
            if old.who.partition(" ")[2] in gone or old.resource.rpartition(":")[2] in gone:
                continue  # with whom or what it was about
            kind = "weaker-denial"
        else:
            trust = right.action.startswith("sts:AssumeRole")
            kind = "weaker-condition" if old else "new-trust" if trust else "wider-rights"
        # Rights that differ in their actions only are one thing to decide.
        bounds = (old.resource, old.condition) if old else ()
        groups.setdefault((kind, right.where, right.who, right.resource, right.condition, *bounds), []).append(widening)
    for (kind, where, who, *_), group in groups.items():
        old_rights = list(dict.fromkeys(widening.before for widening in group if widening.before))
        new_rights = [widening.right for widening in group]
        was = permissions.Right.told(old_rights) if old_rights else NOT_THERE
        now = NOT_THERE if new_rights == old_rights else permissions.Right.told(new_rights)
        stack, _, resource = where.partition("/")
        what = f"{who}: {was if kind == 'weaker-denial' else now}"
        yield Finding(kind, what, stack, resource, f"what {who} may do", was, now)


def _memberships(before: Templates, after: Templates) -> Iterator[Finding]:
    old = {(user, group) for user, group, *_ in _members(before)}
    for user, group, stack, resource in _members(after):
        if (user, group) not in old:
            yield Finding("new-member", f"{user} in {group}", stack, resource, "Groups", NOT_THERE, group)


def _members(templates: Templates) -> Iterator[tuple[str, str, str, str]]:
    """User, group, and the stack and the resource that say so."""
    for stack, template in templates.items():
        names = Names(template)
        for logical_id, resource in template.get("Resources", {}).items():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::IAM::User":
                for group in properties.get("Groups", []):
                    yield names.of(logical_id), names.name(group), stack, logical_id
            if resource["Type"] == "AWS::IAM::UserToGroupAddition":
                for user in properties.get("Users", []):
                    yield names.name(user), names.name(properties.get("GroupName")), stack, logical_id


def _identity(change: _Change) -> Iterator[Finding]:
    made = not change.before or change.is_replaced
    if change.type == "AWS::IAM::User":
        if made:
            yield change.finding("new-user", change.name, "UserName", change.before and "another", change.name)
        old, new = change.values("LoginProfile")
        if new and not old:
            yield change.finding("console-access", change.name, "LoginProfile", None, "a password")
        elif new and old.get("PasswordResetRequired") and not new.get("PasswordResetRequired"):
            what = f"{change.name} may keep the generated password"
            yield change.finding("less-protection", what, "LoginProfile.PasswordResetRequired", True, False)
    if change.type == "AWS::IAM::AccessKey":
        old, new = change.values("Status")
        if made:
            yield change.finding("new-access-key", f"{change.stack}/{change.logical_id}", "", None, "an access key")
        elif old == "Inactive" and new != "Inactive" and not change.is_gone:
            what = f"{change.stack}/{change.logical_id} is active again"
            yield change.finding("new-access-key", what, "Status", old, new or "Active")
    if change.type in ("AWS::IAM::User", "AWS::IAM::Role") and not change.is_gone:
        old, new = change.values("PermissionsBoundary")
        if old and old != new:
            yield change.finding("wider-rights", f"{change.name} has another boundary", "PermissionsBoundary", old, new)


_SECRET_WORDS = ("password", "secret", "token", "privatekey")


def _secrets(before: Templates, after: Templates) -> Iterator[Finding]:
    old = {(stack, path, what) for stack, template in before.items() for path, what in _exposed(template)}
    for stack, template in after.items():
        for path, what in _exposed(template):
            if (stack, path, what) not in old:
                section, resource, prop = (*path, "", "")[0], (*path, "", "")[1], ".".join(path[2:])
                where = "/".join((stack, *path))
                yield Finding("exposed-secret", f"{what} in {where}", stack, resource or section, prop, NOT_THERE, what)


def _exposed(template: Template) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where a secret stands that does not belong there: the path to it, and what it is."""
    resources = template.get("Resources", {})
    for path, value in _walk(template):
        home = resources.get(path[1], {}).get("Type") if len(path) > 1 and path[0] == "Resources" else None
        place = path[3] if len(path) > 3 and path[2] == "Properties" else ""
        at_home = (home, place) in (
            ("AWS::SecretsManager::Secret", "SecretString"),
            ("AWS::IAM::User", "LoginProfile"),
        )
        if isinstance(value, Mapping) and "Fn::GetAtt" in value and "SecretAccessKey" in str(value["Fn::GetAtt"]):
            if not at_home:
                yield path, "the secret of an access key"
        elif isinstance(value, str) and "{{resolve:" in value and "{{resolve:ssm:" not in value and not at_home:
            yield path, "a secret that is read at deploy time"
        elif isinstance(value, str) and at_home and path[4:] in ((), ("Password",)):
            if "{{resolve:" not in value:
                yield path, "a literal secret"
        elif isinstance(value, str) and ".SecretAccessKey}" in value:
            yield path, "the secret of an access key"
    for name, parameter in template.get("Parameters", {}).items():
        named = any(word in name.lower() for word in _SECRET_WORDS)
        if "Default" in parameter and (named or str(parameter.get("NoEcho")).lower() == "true"):
            yield ("Parameters", name, "Default"), "a default for a secret"
        elif named and str(parameter.get("NoEcho")).lower() != "true":
            yield ("Parameters", name, "NoEcho"), "a secret that is shown to whoever may read the stack"


def _walk(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, value
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _walk(each, (*path, str(key)))
    elif isinstance(value, list):
        for each in value:
            # Without the place in the list: what is moved within it is not new.
            yield from _walk(each, path)


_KEPT = ("Retain", "RetainExceptOnCreate", "Snapshot")
_DEFAULT_RETENTION_SECONDS = 345_600


def _data(change: _Change) -> Iterator[Finding]:
    if change.type != "AWS::SQS::Queue" or not change.before:
        return
    name = change.name_before
    if change.is_gone:
        kept = change.before.get("DeletionPolicy") in _KEPT
        after = "no longer in the stack, but kept" if kept else "deleted with its messages"
        yield change.finding("data-loss", f"queue {name} is removed", "", "a queue", after)
        return
    if change.is_replaced:
        reasons = [each["name"] for each in change.properties if each["impact"] in ("WILL_REPLACE", "MAY_REPLACE")]
        what = f"queue {name} is replaced" + (f" by {change.name}" if change.name != name else "")
        before, after = (", ".join(_shown(change.values(reason)[side]) for reason in reasons) for side in (0, 1))
        yield change.finding("data-loss", what, ", ".join(reasons), before, after)
    old, new = change.values("MessageRetentionPeriod")
    if _less(new, old, _DEFAULT_RETENTION_SECONDS):
        yield change.finding(
            "data-loss", f"queue {name} keeps messages for less long", "MessageRetentionPeriod", old, new
        )
    old, new = change.values("RedrivePolicy")
    if old and not new:
        yield change.finding("data-loss", f"queue {name} has no dead-letter queue", "RedrivePolicy", old, new)
    elif old and new:
        if old.get("deadLetterTargetArn") != new.get("deadLetterTargetArn"):
            targets = old.get("deadLetterTargetArn"), new.get("deadLetterTargetArn")
            what = f"queue {name} has another dead-letter queue"
            yield change.finding("data-loss", what, "RedrivePolicy.deadLetterTargetArn", *targets)
        counts = old.get("maxReceiveCount"), new.get("maxReceiveCount")
        if _less(counts[1], counts[0], 10):
            what = f"queue {name} gives up on a message sooner"
            yield change.finding("data-loss", what, "RedrivePolicy.maxReceiveCount", *counts)
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        was, now = change.before.get(policy), change.after.get(policy)
        if was in _KEPT and now not in _KEPT:
            yield change.finding(
                "data-loss", f"queue {name} is no longer kept ({policy})", policy, was, now or "Delete"
            )


_ENCRYPTED_BY = ("KmsMasterKeyId", "KmsKeyId", "KMSKeyId", "BucketEncryption", "EncryptionConfiguration")
_GUARDED_BY = ("LoggingConfiguration", "PublicAccessBlockConfiguration", "RedriveAllowPolicy", "TracingConfig")


def _protection(change: _Change) -> Iterator[Finding]:
    if not change.before:
        return
    if change.is_gone:
        if change.type in ("AWS::Logs::LogGroup", "AWS::CloudWatch::Alarm", "AWS::CloudTrail::Trail"):
            yield change.finding("less-protection", f"{change.name} is removed", "", change.type, None)
        return
    for prop in (*_ENCRYPTED_BY, *_GUARDED_BY):
        old, new = change.values(prop)
        if old and old != new:
            yield change.finding("less-protection", f"{change.name} has another {prop}, or none", prop, old, new)
    old, new = change.values("SqsManagedSseEnabled")
    if old is True and new is not True and not change.values("KmsMasterKeyId")[1]:
        yield change.finding("less-protection", f"{change.name} is not encrypted", "SqsManagedSseEnabled", old, new)
    for prop in ("ActionsEnabled", "Enabled", "IsLogging"):
        old, new = change.values(prop)
        if old is not False and new is False:
            yield change.finding("less-protection", f"{change.name} is switched off", prop, old, new)
    old, new = change.values("RetentionInDays")
    if _less(new, old, 10**9):
        what = f"{change.name} keeps its records for less long"
        yield change.finding("less-protection", what, "RetentionInDays", old, new)


_OPAQUE = (
    "AWS::CloudFormation::Stack",
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudFormation::Macro",
    "Custom::",
)


def _unseen(change: _Change) -> Iterator[Finding]:
    if change.type.startswith(_OPAQUE) and not change.is_gone:
        what = f"{change.stack}/{change.logical_id}"
        yield change.finding("unseen", what, "", change.before and change.type, change.type)
    if change.type in ("AWS::IAM::OIDCProvider", "AWS::IAM::SAMLProvider") and not change.before:
        yield change.finding("new-trust", f"whoever {change.logical_id} vouches for", "", None, change.type)


def _transforms(before: Templates, after: Templates) -> Iterator[Finding]:
    for stack, template in after.items():
        old = before.get(stack, {})
        if template.get("Transform") != old.get("Transform"):
            what = f"{stack} is transformed when it is deployed"
            values = _shown(old.get("Transform")), _shown(template.get("Transform"))
            yield Finding("unseen", what, stack, "Transform", "", *values)
        if "Fn::Transform" in json.dumps(template) and "Fn::Transform" not in json.dumps(old):
            what = f"{stack} has parts that are transformed when it is deployed"
            yield Finding("unseen", what, stack, "Fn::Transform", "", NOT_THERE, "Fn::Transform")


def _less(new: Any, old: Any, default: int) -> bool:
    """Whether a number is smaller than it was; what is no number could be."""
    old, new = (default if value is None else value for value in (old, new))
    if isinstance(old, int) and isinstance(new, int):
        return new < old
    return bool(old != new)


def _described(change: _Change) -> str:
    """A change as one line."""
    thing = f"{change.type} {change.name}"
    if not change.before:
        return f"added: {thing}"
    if change.is_gone:
        return f"removed: {thing}"
    verb = "REPLACED" if change.is_replaced else "changed in place"
    names = [str(each["name"]) for each in change.properties]
    return f"{verb}: {thing}" + (f": {', '.join(_step(change, name) for name in names)}" if names else "")


def _step(change: _Change, name: str) -> str:
    before, after = (_shown(value, 40) for value in change.values(name))
    return name if before == after else f"{name} {before} -> {after}"


def _section_notes(stack: str, section: str, before: Any, after: Any) -> Iterator[Note]:
    if before == after:
        return
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        yield Note(stack, f"{section} reads otherwise")
        return
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            verb = "added" if name not in before else "removed" if name not in after else "changed"
            yield Note(stack, f"{verb}: {section.lower().rstrip('s')} {name}")


def _shown(value: Any, longest: int = 300) -> str:
    text = NOT_THERE if value in (None, "", {}) else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

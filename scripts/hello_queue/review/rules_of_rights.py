"""Who may do more than before: rights, group members, users, access keys and passwords."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hello_queue.review import permissions
from hello_queue.review.changes import Change
from hello_queue.review.findings import ABSENT, Finding
from hello_queue.review.naming import Names
from hello_queue.review.synthesis import Templates


def wider_rights(before: Templates, after: Templates, changes: list[Change]) -> Iterator[Finding]:
    gone = {change.name_before for change in changes if change.before} - {
        Names(template).of(logical_id) for template in after.values() for logical_id in template.get("Resources", {})
    }
    groups: dict[tuple[str, ...], list[permissions.Widening]] = {}
    for widening in permissions.widenings(permissions.rights(before), permissions.rights(after)):
        right, old = widening.right, widening.before
        if right.effect == "Deny":
            assert old is not None
            if old.who.partition(" ")[2] in gone or old.resource.rpartition(":")[2] in gone:
                continue  # its principal or resource is gone too
            kind = "weaker-denial"
        else:
            trust = right.action.startswith("sts:AssumeRole")
            kind = "weaker-condition" if old else "new-trust" if trust else "wider-rights"
        # Rights that differ only in their actions are one decision.
        bounds = (old.resource, old.condition) if old else ()
        groups.setdefault((kind, right.where, right.who, right.resource, right.condition, *bounds), []).append(widening)
    for (kind, where, who, *_), group in groups.items():
        old_rights = list(dict.fromkeys(widening.before for widening in group if widening.before))
        new_rights = [widening.right for widening in group]
        was = permissions.Right.summary(old_rights) if old_rights else ABSENT
        now = ABSENT if new_rights == old_rights else permissions.Right.summary(new_rights)
        stack, _, resource = where.partition("/")
        what = f"{who}: {was if kind == 'weaker-denial' else now}"
        yield Finding(kind, what, stack, resource, f"what {who} may do", was, now)


def memberships(before: Templates, after: Templates) -> Iterator[Finding]:
    old = {(user, group) for user, group, *_ in _members(before)}
    for user, group, stack, resource in _members(after):
        if (user, group) not in old:
            yield Finding("new-member", f"{user} in {group}", stack, resource, "Groups", ABSENT, group)


def _members(templates: Templates) -> Iterator[tuple[str, str, str, str]]:
    """User, group, and the stack and resource that add the one to the other."""
    for stack, template in templates.items():
        names = Names(template)
        for logical_id, resource in template.get("Resources", {}).items():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::IAM::User":
                groups = properties.get("Groups", [])
                for group in groups if isinstance(groups, list) else [groups]:
                    yield names.of(logical_id), names.name(group), stack, logical_id
            if resource["Type"] == "AWS::IAM::UserToGroupAddition":
                users = properties.get("Users", [])
                for user in users if isinstance(users, list) else [users]:
                    yield names.name(user), names.name(properties.get("GroupName")), stack, logical_id


def identities(change: Change) -> Iterator[Finding]:
    # A resource with a Condition may not have existed.
    was_certain = "Condition" not in change.before or change.before["Condition"] == change.after.get("Condition")
    made = not change.before or change.is_replaced or not was_certain
    if change.type == "AWS::IAM::User":
        if made:
            yield change.finding("new-user", change.name, "UserName", change.before and "another user", change.name)
        old, new = change.values("LoginProfile")
        if new and not old:
            yield change.finding("console-access", change.name, "LoginProfile", None, "a password")
        elif (
            isinstance(old, Mapping)
            and isinstance(new, Mapping)
            and old.get("PasswordResetRequired")
            and not new.get("PasswordResetRequired")
        ):
            what = f"{change.name} may keep the generated password"
            yield change.finding("less-protection", what, "LoginProfile.PasswordResetRequired", True, False)
    if change.type == "AWS::IAM::AccessKey":
        old, new = change.values("Status")
        if made:
            yield change.finding("new-access-key", f"{change.stack}/{change.logical_id}", "", None, "an access key")
        elif old == "Inactive" and new != "Inactive" and not change.is_removed:
            what = f"{change.stack}/{change.logical_id} is active again"
            yield change.finding("new-access-key", what, "Status", old, new or "Active")
    if change.type in ("AWS::IAM::User", "AWS::IAM::Role") and not change.is_removed:
        old, new = change.values("PermissionsBoundary")
        if old and old != new:
            yield change.finding(
                "wider-rights",
                f"permissions boundary of {change.name} changed or removed",
                "PermissionsBoundary",
                old,
                new,
            )

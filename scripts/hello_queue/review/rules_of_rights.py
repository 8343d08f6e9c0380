"""Who may do more than before: rights, group members, users, access keys and passwords."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hello_queue.review.changes import Change
from hello_queue.review.findings import ABSENT, Finding
from hello_queue.review.naming import Names
from hello_queue.review.permissions import Rights, members, rights_of
from hello_queue.review.rights.actions import is_known
from hello_queue.review.synthesis import Template, Templates
from hello_queue.review.widenings import Comparison, Widening
from hello_queue.review.witness import witness


def wider_rights(before: Templates, after: Templates, changes: list[Change]) -> Iterator[Finding]:
    if before == after:
        return
    gone = {change.name_before for change in changes if change.before} - {
        Names(template).of(logical_id) for template in after.values() for logical_id in template.get("Resources", {})
    }
    old, new = rights_of(before), rights_of(after)
    comparison = Comparison(old, new)
    found = [each for each in comparison.widenings() if not _is_gone(each, gone)]
    for group in _grouped(found):
        yield _finding(group, comparison, old, new)
    yield from _unknown_actions(old, new)


def _is_gone(widening: Widening, gone: set[str]) -> bool:
    """Whether a denial is gone with its principal or resource."""
    if widening.right.statement.allows:
        return False
    names = [widening.who.partition(" ")[2], *(each.rpartition(":")[2] for each in widening.resources)]
    return bool({*names, widening.right.attached} & gone)


def _grouped(found: list[Widening]) -> list[list[Widening]]:
    """The widenings that are one decision: those of one policy that differ in their actions, resources or holders."""
    by_resource: dict[object, list[Widening]] = {}
    for each in found:
        right = each.right
        kept = (right.statement.but_actions, right.statement.but_resources, right.condition, right.attached)
        fixed = (each.kind, right.where, right.label, each.before, kept)
        by_resource.setdefault((fixed, each.who, each.resources), []).append(each)
    by_actions: dict[object, list[Widening]] = {}
    for (fixed, who, _), group in by_resource.items():  # type: ignore[misc]
        actions = frozenset(action for each in group for action in each.actions)
        by_actions.setdefault((fixed, who, actions), []).extend(group)
    by_holder: dict[object, list[Widening]] = {}
    for (fixed, _, actions), group in by_actions.items():  # type: ignore[misc]
        resources = frozenset(text for each in group for text in each.resources)
        by_holder.setdefault((fixed, actions, resources), []).extend(group)
    return list(by_holder.values())


def _finding(group: list[Widening], comparison: Comparison, before: Rights, after: Rights) -> Finding:
    first = group[0]
    who = ", ".join(dict.fromkeys(each.who for each in group))
    stack, _, resource = first.right.where.partition("/")
    if first.right.statement.allows:
        actions, resources = (
            tuple(dict.fromkeys(text for each in group for text in texts))
            for texts in ([text for one in group for text in one.actions], [t for one in group for t in one.resources])
        )
        now = first.right.summary(actions, resources)
        what = f"{who}: {now}"
    else:
        now = first.after
        what = f"{who}: {first.before}"
    kind, shown = first.kind, witness(who, first.request)
    return Finding(kind, what, stack, resource, f"what {who} may do", first.before, now, witness=shown)


def _unknown_actions(before: Rights, after: Rights) -> Iterator[Finding]:
    """Actions that AWS does not have: misspelled, perhaps, so that a denial denies nothing."""
    old = {(right.who, action) for right in before.all for action in right.statement.actions}
    for right in after.all:
        for action in right.statement.actions if right.is_certain else ():
            if (right.who, action) not in old and not is_known(action):
                stack, _, resource = right.where.partition("/")
                what = f"{right.who}: no action of AWS is called {action}"
                yield Finding("unknown-effect", what, stack, resource, "Action", ABSENT, action)


def memberships(before: Templates, after: Templates) -> Iterator[Finding]:
    old = {(user, group) for template in before.values() for user, group, _ in _members(template)}
    for stack, template in after.items():
        for user, group, resource in _members(template):
            if (user, group) not in old:
                yield Finding("new-member", f"{user} in {group}", stack, resource, "Groups", ABSENT, group)


def _members(template: Template) -> Iterator[tuple[str, str, str]]:
    return members(template.get("Resources", {}), Names(template))


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

"""Who may do more than before: rights, group members, users, access keys and passwords."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from hello_queue.review.assembly import Template, Templates
from hello_queue.review.changes import Change
from hello_queue.review.findings import ABSENT, Finding, Note, short, shown
from hello_queue.review.naming import Names
from hello_queue.review.permissions import members, rights_of
from hello_queue.review.right import Rights, named
from hello_queue.review.rights.actions import is_known
from hello_queue.review.rights.actions import pattern as action_pattern
from hello_queue.review.rights.budget import Budget, TooComplexError
from hello_queue.review.rights.ways import Way
from hello_queue.review.widenings import NOT_ALLOWED, NOT_DENIED, Comparison, Widening
from hello_queue.review.witness import witness


def wider_rights(before: Templates, after: Templates, changes: list[Change]) -> Iterator[Finding]:
    """What principals may do and could not do before, by the policies that say so."""
    if before == after:
        return
    gone = {change.name_before for change in changes if change.before} - _names(after)
    old, new = rights_of(before), rights_of(after)
    comparison = Comparison(old, new)
    groups = _grouped([each for each in comparison.widenings() if not _is_gone(each, gone)])
    ways = {who: comparison.ways(who) for who in sorted({one.who for each in groups for one in each if _is_own(one)})}
    for group in sorted(groups, key=lambda group: not _opens(group, ways)):
        yield _finding(group, ways)
    yield from _unknown_actions(old, new)


def narrower_rights(before: Templates, after: Templates) -> Iterator[Note]:
    """What principals that stay may no longer do: a client of theirs may fail."""
    if before == after:
        return
    names = _names(after)
    lost = [each for each in Comparison(rights_of(after), rights_of(before)).widenings() if _is_lost(each, names)]
    for group in _grouped(lost):
        subject = " and ".join(named(who) for who in dict.fromkeys(each.who for each in group))
        still = group[0].before.removeprefix("allowed")  # such as " if aws:SecureTransport is true"
        happens = f"no longer {_calls(group)}" if group[0].before == NOT_ALLOWED else f"{_calls(group)} only{still}"
        yield Note(group[0].right.where.partition("/")[0], f"{subject} may {happens}")


def _names(templates: Templates) -> set[str]:
    """The names of all resources."""
    return {Names(each).of(logical_id) for each in templates.values() for logical_id in each.get("Resources", {})}


def _is_lost(widening: Widening, names: set[str]) -> bool:
    """Whether something is certainly no longer allowed, although its holder, or what it was about, is still there."""
    right = widening.right
    of = (widening.who,) if right.is_identity else widening.resources
    ends = {re.split("[ :/]", text)[-1] for text in of}
    return right.statement.allows and widening.request is not None and bool(ends & names)


def _is_own(widening: Widening) -> bool:
    """Whether it is about what the holder's own policies say."""
    return widening.right.is_identity and widening.request is not None


def _opens(group: list[Widening], ways: Mapping[str, list[Way]]) -> list[Way]:
    """The ways to which these widenings contribute."""
    patterns = [action_pattern(each) for each in _actions(group)]
    statement = group[0].right.statement
    return [
        way
        for way in (ways.get(group[0].who, []) if _is_own(group[0]) else [])
        if any(
            statement.but_actions != any(one.matches(action.split()[0].lower()) for one in patterns)
            for action in way.needs
        )
    ]


def _is_gone(widening: Widening, gone: set[str]) -> bool:
    """Whether a denial is gone with its principal or resource."""
    if widening.right.statement.allows:
        return False
    names = [widening.who.partition(" ")[2], *(each.rpartition(":")[2] for each in widening.resources)]
    return bool({*names, widening.right.attached} & gone)


def _grouped(found: list[Widening]) -> list[list[Widening]]:
    """The widenings that are one decision: those of one policy that differ in their actions, resources or holders."""

    def merged(groups: list[list[Widening]], key: Callable[[list[Widening]], object]) -> list[list[Widening]]:
        together: dict[object, list[Widening]] = {}
        for group in groups:
            together.setdefault((_decision(group[0]), key(group)), []).extend(group)
        return list(together.values())

    groups = merged([[each] for each in found], lambda group: (group[0].who, group[0].resources))
    groups = merged(groups, lambda group: (group[0].who, frozenset(_actions(group))))
    return merged(groups, lambda group: (frozenset(_actions(group)), frozenset(_resources(group))))


def _decision(widening: Widening) -> tuple[object, ...]:
    right = widening.right
    kept = (right.statement.but_actions, right.statement.but_resources, right.condition, right.attached)
    return (widening.kind, right.where, right.label, widening.before, widening.after, *kept)


def _actions(group: list[Widening]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(action for each in group for action in each.actions))


def _resources(group: list[Widening]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for each in group for text in each.resources))


def _scope(group: list[Widening]) -> str:
    return group[0].right.scope(_actions(group), _resources(group))


def _calls(group: list[Widening]) -> str:
    """What the widenings are about, after "may"."""
    return _scope(group) if group[0].right.label else f"call {_scope(group)}"


def _finding(group: list[Widening], ways: Mapping[str, list[Way]]) -> Finding:
    first, open_ = group[0], _opens(group, ways)
    holders = list(dict.fromkeys(each.who for each in group))
    who, subject = ", ".join(holders), " and ".join(map(named, holders))
    stack, _, resource = first.right.where.partition("/")
    before, after = first.before, first.after
    if first.right.statement.allows:
        happens = f"may {_calls(group)}"
    else:
        less = "no longer denied" if first.after == NOT_DENIED else f"denied less: {first.after}, no longer"
        happens = f"{'are' if len(holders) > 1 else 'is'} {less} {_scope(group)}"
        before, after = f"denied {before}", after if after == NOT_DENIED else f"denied {after}"
    way = f" can become administrator through {open_[0]}:" if open_ else ""
    return Finding(
        "escalation" if open_ else first.kind,
        f"{subject}{way} {happens}",
        stack,
        resource,
        "",
        before,
        after,
        witness=witness(who, first.request) + _more(open_[1:]),
        who=first.subject,
        request=first.request,
    )


def _more(ways: list[Way]) -> str:
    if not ways:
        return ""
    return f"; also through {ways[0]}" + (f" and {len(ways) - 1} more ways" if len(ways) > 1 else "")


def _unknown_actions(before: Rights, after: Rights) -> Iterator[Finding]:
    """Actions that AWS does not have: misspelled, perhaps, so that a denial denies nothing."""
    old = {(right.who, action) for right in before.all for action in right.statement.actions}
    budget = Budget()
    for right in after.all:
        for action in right.statement.actions if right.is_certain else ():
            stack, _, resource = right.where.partition("/")
            what = f"a policy of {named(right.who)} names {action}, which is no action of AWS"
            try:
                if (right.who, action) in old or is_known(action, budget):
                    continue
            except TooComplexError:
                what = "too many actions with wildcards to look for each of them among those of AWS"
                yield Finding("unknown-effect", what, stack, resource, "Action", ABSENT, action)
                return
            yield Finding("unknown-effect", what, stack, resource, "Action", ABSENT, action)


def memberships(before: Templates, after: Templates) -> Iterator[Finding]:
    """Users that join a group."""
    old = {(user, group) for template in before.values() for user, group, _ in _members(template)}
    new = [(stack, *each) for stack, template in after.items() for each in _members(template) if each[:2] not in old]
    comparison = Comparison(rights_of(before), rights_of(after)) if new else None
    for stack, user, group, resource in new:
        assert comparison is not None
        request = comparison.membership(f"user {user}", f"group {group}")
        ways = comparison.ways(f"user {user}") if request else []
        what = f"user {user} joins group {group}" + (f" and can become administrator through {ways[0]}" if ways else "")
        yield Finding(
            "new-member",
            what,
            stack,
            resource,
            "Groups",
            ABSENT,
            group,
            witness=witness(f"user {user}", request) + _more(ways[1:]) if request else "",
            who=f"user {user}",
            request=request,
        )


def _members(template: Template) -> Iterator[tuple[str, str, str]]:
    return members(template.get("Resources", {}), Names(template))


def identities(change: Change) -> Iterator[Finding]:
    """Users, passwords, access keys and permissions boundaries that are new or other than before."""
    # A resource with a Condition may not have existed.
    was_certain = "Condition" not in change.before or change.before["Condition"] == change.after.get("Condition")
    made = not change.before or change.is_replaced or not was_certain
    if change.type == "AWS::IAM::User":
        if made:
            was = change.before and "another user"
            yield change.finding("new-user", f"user {change.name} is new", "UserName", was, change.name)
        old, new = change.values("LoginProfile")
        if new and not old:
            what = f"user {change.name} can sign in to the AWS console"
            yield change.finding("console-access", what, "LoginProfile", None, "a password")
        elif all(isinstance(each, Mapping) for each in (old, new)) and (
            old.get("PasswordResetRequired") and not new.get("PasswordResetRequired")
        ):
            what = f"user {change.name} may keep the generated password"
            yield change.finding("less-protection", what, "LoginProfile.PasswordResetRequired", True, False)
    if change.type == "AWS::IAM::AccessKey":
        old, new = change.values("Status")
        key, user = f"{change.stack}/{change.logical_id}", short(shown(change.values("UserName")[1]))
        if made:
            yield change.finding("new-access-key", f"user {user} gets access key {key}", "", None, "an access key")
        elif old == "Inactive" and new != "Inactive" and not change.is_removed:
            yield change.finding("new-access-key", f"access key {key} is active again", "Status", old, new or "Active")
    if change.type in ("AWS::IAM::User", "AWS::IAM::Role") and not change.is_removed:
        old, new = change.values("PermissionsBoundary")
        if old and old != new:
            has = "has another" if new else "no longer has a"
            what = f"{change.type.rpartition(':')[2].lower()} {change.name} {has} permissions boundary"
            yield change.finding("wider-rights", what, "PermissionsBoundary", old, new)

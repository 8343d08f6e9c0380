"""What the policies of one state allow that those of another did not, by cause, each with a request that shows it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from hello_queue.review.right import ANYONE, Right, Rights, named
from hello_queue.review.rights.actions import pattern as action_pattern
from hello_queue.review.rights.budget import Budget, TooComplexError
from hello_queue.review.rights.decision import Request, Requests
from hello_queue.review.rights.patterns import Pattern
from hello_queue.review.rights.policies import (
    Goal,
    Policies,
    Search,
    newly_allowed,
    newly_granted,
    no_longer_denied,
    unaffected,
)
from hello_queue.review.rights.principals import OWN_ACCOUNT, account_of
from hello_queue.review.rights.statements import Statement, resource_pattern
from hello_queue.review.rights.variables import ABSENT
from hello_queue.review.rights.ways import Way, new_ways

NOT_ALLOWED, NOT_DENIED = "not allowed", "not denied"

_EVERYTHING = Statement(True, ("*",))
_PARTITION = {"aws::partition": "aws"}
"""A deployment is in one partition. ``aws`` stands for it."""
_MOST_PAIRS = 50_000
"""Of patterns of two denials that are compared: AWS's longest policies have about 200 patterns."""
_OF_OWN_ACCOUNT = ("user ", "role ", "group ", "any holder of ")
_Who = tuple[str, str, bool]
"""Whose requests are compared, the world that decides about them, and whether everything is assumed to be allowed."""


@dataclass(frozen=True)
class Widening:
    """A right that allows more than before, or a denial that denies less.

    Attributes:
        kind: the kind of finding.
        right: the new right, or the old denial.
        who: whose requests it is about.
        actions: those of the right's actions that are new.
        resources: those of its resources that are new.
        before: whether it was allowed, and under which conditions; or what was denied.
        after: the same after the change; of a denial, all that is left of it.
        request: one that is allowed now and was not; None if this cannot be decided.
        subject: the principal whose request that is: the one that the right is for, or one of several.
    """

    kind: str
    right: Right
    who: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    before: str
    after: str
    request: Request | None
    subject: str = ""


class Comparison:
    """Two states of all rights, and what each principal may do in them."""

    def __init__(self, before: Rights, after: Rights) -> None:
        limits = before.limits | after.limits
        self._before, self._after = states = tuple(
            replace(each, all=[right for right in each.all if right.who not in limits]) for each in (before, after)
        )
        aliases = {arn: who for state in states for arn, who in state.aliases.items()}
        self._alias: Callable[[str], str] = lambda who: aliases.get(who, who)
        named = {self._alias(each) for state in states for right in state.all for each in (right.who, *right.excepted)}
        self._named = sorted(each for each in named | {*aliases.values()} if not each.startswith(ANYONE))
        self._known = {*aliases.values()} - before.incomplete - after.incomplete
        self._states: dict[_Who, tuple[Policies, Policies]] = {}
        self._requests: dict[_Who, Requests] = {}
        self._kept = {*after.all}
        self._budget = Budget()
        self._likely = [arn.replace("${AWS::Partition}", "aws") for arn in [*after.arns, *before.arns]]

    def widenings(self) -> list[Widening]:
        """What is allowed after and was not before. Where this cannot be decided, it counts as wider."""
        found = [each for right in self._after.all if right.statement.allows for each in self._wider(right)]
        found += [each for right in self._before.all if not right.statement.allows for each in self._weaker(right)]
        return found

    def ways(self, subject: str) -> list[Way]:
        """The ways to become administrator that are new to a principal."""
        values = _known(subject)
        before, after = (self.policies(state, subject).assuming(values) for state in (self._before, self._after))
        self._budget.begin()
        return new_ways(subject, before, after, self._budget)

    def membership(self, user: str, group: str) -> Request | None:
        """A request that a new member of a group may make because of it; None if there is none."""
        of_group = (each for each in self._after.all if each.is_identity and each.who == group)
        all_hits = (self._hits(each, (user, "", False), newly_granted) for each in of_group if each.statement.allows)
        return next((hits.request for hits in all_hits if hits and hits.request), None)

    def policies(self, state: Rights, subject: str, world: str = "", *, everything: bool = False) -> Policies:
        """What bears on the requests of a principal.

        Args:
            everything: whether to assume that its own policies allow everything, because they are not known.
        """
        identity = [_EVERYTHING] if everything else []
        resource = []
        groups = state.members.get(subject, ())
        for right in state.all:
            if right.is_identity:
                if not world and (right.who == subject or right.who in groups):
                    identity.append(right.statement)
            elif right.world == world and self._is_for(right, subject):
                resource.append(right.statement)
        boundary = None if world else state.boundaries.get(subject)
        return Policies(tuple(identity), tuple(resource), boundary)

    def _is_for(self, right: Right, subject: str) -> bool:
        """Whether a statement of a resource policy is about a principal."""
        if right.excepted:
            return not {subject, ANYONE} & {self._alias(each) for each in right.excepted}
        if self._alias(right.who) in (ANYONE, subject):
            return True
        # An account stands for its users and roles. Allowing it leaves the decision to their own policies.
        account = None if right.statement.allows else account_of(right.who)
        if account == OWN_ACCOUNT and subject.startswith(_OF_OWN_ACCOUNT):
            return True
        return account is not None and f":{account}:" in subject

    def _subjects(self, right: Right, state: Rights) -> list[str]:
        """The principals whose requests show whether a right is new, or a denial gone."""
        if right.is_identity:
            return [right.who, *(user for user, groups in sorted(state.members.items()) if right.who in groups)]
        who = self._alias(right.who)
        return [ANYONE, *self._named] if who.startswith(ANYONE) else [who]

    def _wider(self, right: Right) -> Iterator[Widening]:
        for subject in self._subjects(right, self._after):
            old, new = (state.boundaries.get(subject) for state in (self._before, self._after))
            # What a group may do, its members may do, unless their boundaries forbade it.
            limited = old != new and right.who in self._before.members.get(subject, ())
            if not (right.who == subject or limited if right.is_identity else self._is_for(right, subject)):
                continue
            was_denied = any(not each.allows and each not in (new or ()) for each in old or ())
            goal = newly_allowed if was_denied else newly_granted
            hits = self._hits(right, (subject, right.world, False), goal)
            if hits:
                yield self._described(right, subject, hits)
                return

    def _described(self, right: Right, subject: str, hits: _Hits) -> Widening:
        statement, request = right.statement, hits.request
        actions = tuple(each for each in statement.actions if statement.but_actions or each in hits.actions)
        resources = right.shown or tuple(each for each in statement.resources if each in hits.resources)
        covering = [each for each in self._before.all if request and self._covers(each, right, subject, request)]
        kind, was = "wider-rights", NOT_ALLOWED
        if covering:
            kind, was = "weaker-condition", f"allowed{min(each.only_if for each in covering)}"
        elif all(each.startswith("sts:AssumeRole") for each in actions):
            kind = "new-trust"
        who = subject if right.is_identity else right.who
        return Widening(kind, right, who, actions, resources, was, f"allowed{right.only_if}", request, subject)

    def _covers(self, old: Right, right: Right, subject: str, request: Request) -> bool:
        """Whether an old right allowed the request under other conditions."""
        statement = old.statement
        relevant = old.who == subject if old.is_identity else self._is_for(old, subject)
        if not (relevant and statement.allows and statement.conditions and old.world == right.world):
            return False
        plain = replace(statement, conditions=()).assuming(_PARTITION)
        action = any(action_pattern(each).matches(request.action.lower()) for each in plain.actions)
        resource = any(resource_pattern(each).matches(request.resource) for each in plain.resources)
        return action != plain.but_actions and resource != plain.but_resources

    def _weaker(self, denial: Right) -> Iterator[Widening]:
        stays = denial in self._kept
        if stays and self._before.members == self._after.members:
            return
        for subject in self._subjects(denial, self._before):
            is_gone = subject.startswith("user ") and subject not in self._after.aliases.values()
            if is_gone or not (denial.is_identity or self._is_for(denial, subject)):
                continue
            # Who may do everything shows best what a denial of unknown principals is good for.
            unknown = subject not in self._known and not denial.world.startswith("role ")
            hits = self._hits(denial, (subject, denial.world, unknown), no_longer_denied)
            if hits:
                # A denial that stays no longer denies anything to a member who left the group.
                who, left = (subject, "") if stays else (denial.who, self._left_of(denial))
                what = denial.statement.actions, denial.shown or denial.statement.resources
                was = denial.scope()
                yield Widening("weaker-denial", denial, who, *what, was, left or NOT_DENIED, hits.request, subject)
                return

    def _left_of(self, denial: Right) -> str:
        """All that is still denied of what a denial said."""
        left = set()
        for right in self._after.all:
            same = right.who == denial.who or denial.who.startswith(ANYONE)
            if same and (right.attached, right.world) == (denial.attached, denial.world) and _overlap(right, denial):
                left.add(right.scope() + ("" if right.who == denial.who else f" for {named(right.who)}"))
        return "; ".join(sorted(left - {denial.scope()}))

    def _hits(self, right: Right, who: _Who, goal: Goal) -> _Hits | None:
        """What of a statement shows a difference, if anything does. If that cannot be decided, all of it."""
        if who not in self._states:
            subject, world, everything = who
            old, new = (
                self.policies(state, subject, world, everything=everything) for state in (self._before, self._after)
            )
            self._states[who] = old, old if old == new else new
        old, new = self._states[who]
        if old is new:
            return None
        statement = right.statement
        search = Search(statement, goal, old, new, unaffected(statement, old, new), _known(who[0]))
        if search.hopeless(frozenset([*old.statements, *new.statements])):
            return None
        self._budget.begin()
        try:
            if who not in self._requests:
                statements = [*old.statements, *new.statements]
                self._requests[who] = Requests(statements, likely=self._likely, budget=self._budget)
            requests = self._requests[who]
            tried = (_hits_with(values, search, requests) for values in requests.revealing(search))
            return next(filter(None, tried), None)
        except TooComplexError:
            return _Hits(frozenset(statement.actions), frozenset(statement.resources), None)


@dataclass(frozen=True)
class _Hits:
    """What of a statement's actions and resources is new, and a request that shows it; None if it is too complex."""

    actions: frozenset[str]
    resources: frozenset[str]
    request: Request | None


def _known(subject: str) -> Mapping[str, str]:
    """The variables whose values are known. Only users have a name.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
    """
    kind, _, name = subject.partition(" ")
    if kind in ("role", "service", "federated"):
        return {**_PARTITION, "aws:username": ABSENT}
    return {**_PARTITION, "aws:username": name.rpartition("/")[2]} if kind == "user" else _PARTITION


def _hits_with(values: Mapping[str, str], search: Search, requests: Requests) -> _Hits | None:
    """What of a statement shows a difference with these values of variables."""
    statement, first = search.region, requests.first(search, values)
    if first is None:
        return None
    if not statement.allows or not any(each.allows for each in search.before.statements):
        return _Hits(frozenset(statement.actions), frozenset(statement.resources), first)
    actions: set[str] = set()
    resources: set[str] = set()
    try:
        for text in statement.resources:
            for _, matching in requests.all(search, values, () if statement.but_resources else (text,)):
                actions |= matching
                resources.add(text)
    except TooComplexError:
        return _Hits(frozenset(statement.actions), frozenset(statement.resources), first)
    return _Hits(frozenset(actions), frozenset(resources), first)


def _overlap(right: Right, denial: Right) -> bool:
    """Whether a right is a denial that concerns what another denied."""
    one, other = right.statement, denial.statement
    actions = one.but_actions or other.but_actions or _any_match(one.actions, other.actions, action_pattern)
    all_ = one.but_resources or other.but_resources or _any_match(one.resources, other.resources, resource_pattern)
    return not one.allows and actions and all_


def _any_match(some: Collection[str], others: Collection[str], pattern: Callable[[str], Pattern]) -> bool:
    if len(some) * len(others) > _MOST_PAIRS:
        return True  # rather shown than compared for minutes
    pairs = itertools.product(map(pattern, some), map(pattern, others))
    return any(one.matches(other.text) or other.matches(one.text) for one, other in pairs)

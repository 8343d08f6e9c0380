"""Decides whether there is a request that one set of policies allows and another does not, and finds one.

A request is an action, a resource, and the values of the context keys that conditions ask for. The patterns that occur
divide all actions into a few that no policy here distinguishes, and likewise all resources and all values of each key.
One of each kind stands for all, so looking at every combination is exact. Few combinations are looked at: an action
leaves only the statements that match it, these divide the resources, and only conditions of what is left are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hello_queue.review.rights.actions import distinguished, examples
from hello_queue.review.rights.conditions import UNKNOWN, Condition, Value, values_of
from hello_queue.review.rights.patterns import TooComplexError, texts
from hello_queue.review.rights.statements import Statement, resource_pattern

STEPS = 30_000
"""How many combinations of context values are tried at most, for one statement."""

Truth = bool | None
"""None as long as it is open."""


@dataclass(frozen=True)
class Policies:
    """All policies that bear on the requests of one principal.

    Attributes:
        identity: what its own policies and those of its groups say.
        resource: what the policies of resources say about it. Their Allow is enough, as within one account.
        boundary: its permissions boundary, which limits what its identity policies allow; None if it has none.
    """

    identity: tuple[Statement, ...] = ()
    resource: tuple[Statement, ...] = ()
    boundary: tuple[Statement, ...] | None = None

    @property
    def statements(self) -> tuple[Statement, ...]:
        return (*self.identity, *self.resource, *(self.boundary or ()))

    def granted(self, holds: Callable[[Statement], Truth]) -> Truth:
        """Whether an Allow counts, whatever is denied."""
        own = _any(holds(each) for each in self.identity if each.allows)
        if self.boundary is not None:
            own = _all([own, _any(holds(each) for each in self.boundary if each.allows)])
        return _any([own, *(holds(each) for each in self.resource if each.allows)])

    def denied(self, holds: Callable[[Statement], Truth]) -> Truth:
        return _any(holds(each) for each in self.statements if not each.allows)

    def allowed(self, holds: Callable[[Statement], Truth]) -> Truth:
        return _all([self.granted(holds), _not(self.denied(holds))])


@dataclass(frozen=True)
class Request:
    """A request that shows a difference.

    Attributes:
        action: its name.
        resource: an ARN, or ``*`` for an action without a resource.
        context: the context keys that matter, each with its values; None if the request must not have the key.
        unknown: what must hold although nobody knows it from the policies, such as an unknown condition operator.
    """

    action: str
    resource: str
    context: Mapping[str, Value] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


Goal = Callable[[Callable[[Statement], Truth]], Truth]
"""Whether a request is looked for, by which statements hold for it."""


class Requests:
    """The requests that some statements distinguish.

    Args:
        statements: all that bear on the goals.
        known: the context keys whose value is known, by their names in lower case.
        likely: resources to show rather than made-up ones.
    """

    def __init__(
        self, statements: Iterable[Statement], *, known: Mapping[str, str] | None = None, likely: Sequence[str] = ()
    ) -> None:
        self._statements = list(dict.fromkeys(statements))
        self._known = {key: (value,) for key, value in (known or {}).items()}
        self._likely = likely
        self._steps = 0
        self._resources: dict[tuple[tuple[tuple[str, ...], ...], int | None], dict[int, str]] = {}
        patterns = list(dict.fromkeys(action for each in self._statements for action in each.actions))
        # An action that no pattern matches bears on statements with NotAction.
        everything = ["*"] if any(each.but_actions for each in self._statements) else []
        self._actions: dict[frozenset[Statement], list[tuple[frozenset[str], str]]] = {}
        for matching, action in distinguished([*patterns, *everything]).items():
            alive = frozenset(
                each for each in self._statements if each.but_actions != any(a in matching for a in each.actions)
            )
            self._actions.setdefault(alive, []).append((matching, action))

    def all(
        self,
        region: Statement,
        goal: Goal,
        hopeless: Callable[[frozenset[Statement]], bool] | None = None,
        resources: tuple[str, ...] = (),
    ) -> Iterator[tuple[Request, frozenset[str]]]:
        """The requests for which a statement holds and the goal too: one of each kind, with the patterns of the action.

        Args:
            region: one of the statements.
            resources: only these of the region's.
            hopeless: whether the goal cannot be reached if only these statements hold.

        Raises:
            TooComplexError: they cannot be decided within bounds.
        """
        self._steps = 0
        for alive, actions in self._actions.items():
            if region not in alive or (hopeless and hopeless(alive)):
                continue
            contexts: dict[frozenset[Statement], tuple[dict[str, Value], tuple[str, ...]] | None] = {}
            for resource, left, groups in self._divided(alive, region, resources or region.resources):
                if region not in left:
                    continue
                if left not in contexts:
                    contexts[left] = self._context(left, region, goal)
                found = contexts[left]
                if found is not None:
                    for matching, action in actions:
                        yield Request(action, self._fitting(action, resource, groups), *found), matching

    def first(
        self, region: Statement, goal: Goal, hopeless: Callable[[frozenset[Statement]], bool] | None = None
    ) -> Request | None:
        return next((request for request, _ in self.all(region, goal, hopeless)), None)

    def _fitting(self, action: str, resource: str, groups: Mapping[tuple[str, ...], bool]) -> str:
        """A resource that the statements do not distinguish from this one and that suits the action."""
        service = action.partition(":")[0]
        for text in [*(each for each in self._likely if each.split(":")[2:3] == [service]), *examples(action)]:
            if all(any(resource_pattern(one).matches(text) for one in group) == is_ for group, is_ in groups.items()):
                return text
        return resource

    def _divided(
        self, alive: frozenset[Statement], region: Statement, resources: tuple[str, ...]
    ) -> Iterator[tuple[str, frozenset[Statement], Mapping[tuple[str, ...], bool]]]:
        """Resources of a statement, each with those of the statements that match it, and which patterns match."""
        ordered = [each for each in self._statements if each in alive]
        groups = tuple(dict.fromkeys([*(each.resources for each in ordered), resources]))
        within = None if region.but_resources else groups.index(resources)
        if (groups, within) not in self._resources:
            patterns = [[resource_pattern(text) for text in group] for group in groups]
            made_up = [one.text.replace("*", "example").replace("?", "x") for each in patterns for one in each]
            self._resources[groups, within] = texts(patterns, [*self._likely, *made_up], within=within)
        for bits, resource in self._resources[groups, within].items():
            matched = {group: bool(bits >> index & 1) for index, group in enumerate(groups)}
            if resource:
                left = frozenset(each for each in ordered if matched[each.resources] != each.but_resources)
                yield resource, left, matched

    def _context(
        self, left: frozenset[Statement], region: Statement, goal: Goal
    ) -> tuple[dict[str, Value], tuple[str, ...]] | None:
        """Values of context keys for which the goal is reached."""
        by_key: dict[str, list[Condition]] = {}
        for each in sorted(left, key=repr):
            for condition in each.conditions:
                if condition not in by_key.setdefault(condition.key, []):
                    by_key[condition.key].append(condition)
        keys = sorted(by_key, key=lambda key: (key not in {one.key for one in region.conditions}, key))
        ways = [values_of(key, tuple(by_key[key]), self._known.get(key)) for key in keys]
        decided: dict[Condition, bool] = {}

        def holds(statement: Statement) -> Truth:
            if statement not in left:
                return False
            return _all(decided.get(condition) for condition in statement.conditions)

        def search(number: int) -> dict[str, Value] | None:
            self._steps += 1
            if self._steps > STEPS:
                raise TooComplexError
            reached = _all([holds(region), goal(holds)])
            if reached is not None:
                return {} if reached else None
            key = keys[number]
            for results, value in ways[number].items():
                decided.update(zip(by_key[key], results, strict=True))
                rest = search(number + 1)
                if rest is not None:
                    return {key: value, **rest}
            for condition in by_key[key]:
                del decided[condition]
            return None

        found = search(0)
        if found is None:
            return None
        for key in list(found):
            kept = {condition: decided.pop(condition) for condition in by_key[key]}
            if _all([holds(region), goal(holds)]):
                del found[key]  # its value does not matter
            else:
                decided.update(kept)
        unknown = tuple(key for key in found if by_key[key][0].operator == UNKNOWN and found[key] is not None)
        known = {by_key[key][0].name: found[key] for key in found if by_key[key][0].operator != UNKNOWN}
        return known, unknown


def unaffected(statement: Statement, before: Policies, after: Policies) -> Callable[[frozenset[Statement]], bool]:
    """Whether nothing can be new where only some statements hold: an Allow was there before, and so is each Deny."""
    was = statement in (*before.identity, *before.resource) and before.boundary == after.boundary
    denials = {each for each in before.statements if not each.allows} - {*after.statements}
    moved = (statement in before.identity) != (statement in after.identity)
    return lambda alive: was and not moved and not denials & alive


def newly_allowed(before: Policies, after: Policies) -> Goal:
    """The requests that are allowed after and were not before."""
    return lambda holds: _all([after.allowed(holds), _not(before.allowed(holds))])


def newly_granted(before: Policies, after: Policies) -> Goal:
    """Those of them that no Allow covered before."""
    return lambda holds: _all([after.allowed(holds), _not(before.granted(holds))])


def no_longer_denied(before: Policies, after: Policies) -> Goal:
    """Those of them that only a Deny refused before."""
    return lambda holds: _all([after.allowed(holds), before.granted(holds), before.denied(holds)])


def _not(value: Truth) -> Truth:
    return None if value is None else not value


def _all(values: Iterable[Truth]) -> Truth:
    open_ = False
    for value in values:
        if value is False:
            return False
        open_ = open_ or value is None
    return None if open_ else True


def _any(values: Iterable[Truth]) -> Truth:
    return _not(_all(_not(value) for value in values))

"""Decides whether there is a request that one set of policies allows and another does not, and finds one.

A request is an action, a resource, and the values of the context keys that conditions ask for. The patterns that occur
divide all actions into a few that no policy here distinguishes, and likewise all resources and all values of each key.
One of each kind stands for all, so looking at every combination is exact. Few combinations are looked at: an action
leaves only the statements that match it, these divide the resources, and only conditions of what is left are tried.

Policy variables are first taken for examples. Then they have the values that make other statements match the same
request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hello_queue.review.rights.actions import distinguished, examples
from hello_queue.review.rights.budget import Budget
from hello_queue.review.rights.conditions import UNKNOWN, Condition, Value, values_of
from hello_queue.review.rights.patterns import readable, texts
from hello_queue.review.rights.policies import Search, Truth, Values, all_of
from hello_queue.review.rights.statements import Statement, open_variables, resource_pattern
from hello_queue.review.rights.variables import ABSENT, Form, filled, is_optional, own_value, telling

_Left = frozenset[Statement]
_Groups = Mapping[tuple[str, ...], bool]
_Context = tuple[dict[str, Value], tuple[str, ...]]


@dataclass(frozen=True)
class Request:
    """A request that shows a difference.

    Attributes:
        action: its name.
        resource: an ARN, or ``*`` for an action without a resource.
        context: the context keys and policy variables that matter, each with its values; None if the request must not
            have the key.
        unknown: what must hold although nobody knows it from the policies, such as an unknown condition operator.
    """

    action: str
    resource: str
    context: Mapping[str, Value] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


class Requests:
    """The requests that some statements distinguish.

    Args:
        statements: all that bear on the goals.
        likely: resources to show rather than made-up ones.
        budget: what all searches may take.

    Raises:
        TooComplexError: the actions cannot be told apart within the budget; each search may raise it, too.
    """

    def __init__(
        self, statements: Iterable[Statement], *, likely: Sequence[str] = (), budget: Budget | None = None
    ) -> None:
        self._number = {each: number for number, each in enumerate(dict.fromkeys(statements))}
        self._with_variables = [each for each in self._number if each.variables]
        self._likely, self._budget = likely, budget or Budget()
        self._resources: dict[tuple[tuple[tuple[str, ...], ...], int | None], dict[int, str]] = {}
        self._telling: dict[tuple[str, tuple[Form, ...], tuple[tuple[Condition, ...], ...]], list[str]] = {}
        self._ways: dict[tuple[str, tuple[Condition, ...], tuple[Value, ...]], dict[tuple[bool, ...], Value]] = {}
        self._filled: dict[tuple[Statement, tuple[str | None, ...]], Statement] = {}
        self._kinds = self._divide_actions()

    def _divide_actions(self) -> dict[_Left, list[tuple[frozenset[str], str]]]:
        """The actions, with the patterns that match them, by the statements that match them."""
        uses: dict[str, list[Statement]] = {}
        for each in self._number:
            for action in each.actions:
                uses.setdefault(action, []).append(each)
        # An action that no pattern matches bears on statements with NotAction.
        exceptions = [each for each in self._number if each.but_actions]
        found: dict[_Left, list[tuple[frozenset[str], str]]] = {}
        for matching, action in distinguished([*uses, *(["*"] if exceptions else ())], self._budget).items():
            named = {each for pattern in matching for each in uses.get(pattern, ())}
            self._budget.spend(1 + (len(named) + len(exceptions)) // 4)
            alive = frozenset(
                [*(each for each in named if not each.but_actions), *(each for each in exceptions if each not in named)]
            )
            found.setdefault(alive, []).append((matching, action))
        return found

    def all(
        self, search: Search, values: Values | None = None, resources: tuple[str, ...] = ()
    ) -> Iterator[tuple[Request, frozenset[str]]]:
        """The requests that are looked for: one of each kind, with the patterns of the action.

        Args:
            values: what variables stand for. All others stand for examples, but for those that are known.
            resources: only these of the region's.
        """
        contexts: dict[tuple[_Left, frozenset[str]], _Context | None] = {}
        for alive in self._hopeful(search):
            all_values = self._complete(alive, values or search.known)
            own = tuple(filled(text, all_values) or "" for text in resources)
            for resource, left, groups in self._divided(alive, search.region, all_values, own):
                asked = left, frozenset(all_values)
                if asked not in contexts:
                    contexts[asked] = self._context(left, search, all_values)
                found = contexts[asked]
                if found is not None:
                    context, unknown = found
                    for matching, action in self._kinds[alive]:
                        shown = self._fitting(action, resource, groups)
                        told = {*search.known, *map(str.lower, context)}
                        open_ = {key: value for key, value in all_values.items() if key not in told}
                        stated = self._stated(alive, left, shown, open_)
                        yield Request(action, readable(shown), {**stated, **context}, unknown), matching

    def first(self, search: Search, values: Values | None = None) -> Request | None:
        return next((request for request, _ in self.all(search, values)), None)

    def revealing(self, search: Search) -> Iterator[Values]:
        """The known values of variables, then with values of the others for which there are such requests, too."""
        yield search.known
        for alive in self._hopeful(search):
            ahead, seen = [search.known], {frozenset(search.known.items())}
            for known in ahead:
                for name in sorted(open_variables(alive, known)):
                    for value in self._values_of_variable(name, alive, known):
                        tried = {**known, name: value}
                        if frozenset(tried.items()) not in seen:
                            seen.add(frozenset(tried.items()))
                            ahead.append(tried)
                            if self._is_found(alive, search, tried):
                                yield tried

    def _is_found(self, alive: _Left, search: Search, values: Values) -> bool:
        all_values = self._complete(alive, values)
        lefts = (left for _, left, _ in self._divided(alive, search.region, all_values))
        return any(self._context(left, search, all_values) is not None for left in lefts)

    def _stated(self, alive: _Left, left: _Left, resource: str, values: Values) -> dict[str, Value]:
        """The values of variables that decide which statements match a resource, and on which conditions."""
        found: dict[str, Value] = {}
        for each in self._with_variables:
            self._budget.spend(1)
            if each in left or (each in alive and each.may_be_about(resource)):
                for key, name in each.variables.items():
                    if key in values and "::" not in key:
                        found[name] = None if values[key] == ABSENT else (readable(values[key]),)
        return found

    def _complete(self, alive: _Left, values: Values) -> Values:
        """Values of all variables: those that are left open have values that are no others'."""
        return {**{name: own_value(name) for name in open_variables(alive, values)}, **values}

    def _values_of_variable(self, name: str, alive: _Left, values: Values) -> Sequence[str]:
        """Values for which statements match the same request that do not otherwise."""
        forms = [self._form(each, values) for each in sorted(alive, key=self._number.__getitem__)]
        resources = tuple(dict.fromkeys(Form.parse(text) for each in forms for text in each.resources))
        by_key = {key: tuple(found) for key, found in self._by_key(alive, values).items()}
        asked = name, resources, tuple(by_key.values())
        if asked not in self._telling:
            compared = [resources, *(tuple(form for one in found for form in one.forms()) for found in by_key.values())]
            conditions = by_key.get(name, ())
            others = self._complete(alive, values)
            own = [
                [one.pattern(text) for text in one.assuming(others).values] for one in conditions if one.kind == "text"
            ]
            found = telling(name, compared, own, self._budget)
            if any(one.kind not in ("", "text") for one in conditions):
                found += [each[0] for each in values_of(name, conditions, (), self._budget).values() if each]
            self._telling[asked] = [*dict.fromkeys(found), *([ABSENT] if is_optional(name) else [])]
        return self._telling[asked]

    def _texts(self, groups: Sequence[Sequence[str]], within: int | None = None) -> dict[int, str]:
        """One resource for each combination of groups that match it."""
        patterns = [[resource_pattern(text) for text in group] for group in groups]
        made_up = [one.text.replace("*", "example").replace("?", "x") for each in patterns for one in each]
        return texts(patterns, [*self._likely, *made_up], within=within, budget=self._budget)

    def _form(self, statement: Statement, values: Values) -> Statement:
        """A statement with these values of its variables."""
        if not statement.variables:
            return statement
        key = statement, tuple(values.get(name) for name in sorted(statement.variables))
        if key not in self._filled:
            self._filled[key] = statement.assuming(values)
        return self._filled[key]

    def _hopeful(self, search: Search) -> Iterator[_Left]:
        """Statements that match one action, for which the goal is not out of reach whatever else the request is."""
        self._budget.spend(len(self._kinds) // 8)
        for alive in self._kinds:
            if search.region not in alive or search.hopeless(alive):
                continue
            self._budget.spend(1 + len(self._number) // 4)
            before, after = search.before.among(alive), search.after.among(alive)
            certain = {search.region, *(each for each in alive if each.is_unconditional)}

            def holds(statement: Statement, certain: set[Statement] = certain) -> Truth:
                return True if statement in certain else None

            if search.goal(before, after, holds) is not False:
                yield alive

    def _fitting(self, action: str, resource: str, groups: _Groups) -> str:
        """A resource that the statements do not distinguish from this one and that suits the action."""
        service = action.partition(":")[0]
        for text in [*(each for each in self._likely if each.split(":")[2:3] == [service]), *examples(action)]:
            self._budget.spend(len(groups))
            if all(any(resource_pattern(one).matches(text) for one in group) == is_ for group, is_ in groups.items()):
                return text
        return resource

    def _divided(
        self, alive: _Left, region: Statement, values: Values, resources: tuple[str, ...] = ()
    ) -> Iterator[tuple[str, _Left, _Groups]]:
        """Resources of a statement, each with those of the statements that match it, and which patterns match."""
        forms = {each: self._form(each, values) for each in sorted(alive, key=self._number.__getitem__)}
        resources = resources or forms[region].resources
        groups = tuple(dict.fromkeys([*(each.resources for each in forms.values()), resources]))
        within = None if region.but_resources else groups.index(resources)
        if (groups, within) not in self._resources:
            self._resources[groups, within] = self._texts(groups, within)
        for bits, resource in self._resources[groups, within].items():
            self._budget.spend(1 + len(forms) // 4)
            matched = {group: bool(bits >> index & 1) for index, group in enumerate(groups)}
            left = frozenset(each for each, form in forms.items() if matched[form.resources] != form.but_resources)
            if resource and region in left:
                yield resource, left, matched

    def _by_key(self, left: _Left, values: Values) -> dict[str, list[Condition]]:
        """The conditions on each key."""
        found: dict[str, dict[Condition, None]] = {}
        for each in sorted(left, key=self._number.__getitem__):
            for condition in self._form(each, values).conditions:
                found.setdefault(condition.key, {})[condition] = None
        return {key: list(conditions) for key, conditions in found.items()}

    def _ways_of(self, key: str, conditions: Sequence[Condition], values: Values) -> dict[tuple[bool, ...], Value]:
        fixed = ((values[key],) if values[key] != ABSENT else None,) if key in values else ()
        asked = key, tuple(conditions), fixed
        if asked not in self._ways:
            self._ways[asked] = values_of(key, conditions, fixed, self._budget)
        return self._ways[asked]

    def _context(self, left: _Left, search: Search, values: Values) -> _Context | None:
        """Values of context keys for which the goal is reached."""
        by_key = self._by_key(left, values)
        ordered = [
            search.region,
            *(each for each in sorted(left, key=self._number.__getitem__) if each != search.region),
        ]
        conditions = {each: self._form(each, values).conditions for each in ordered}
        self._budget.spend(len(self._number) // 4)
        size = 1 + 4 * sum(1 + len(each) for each in conditions.values())
        before, after = search.before.among(conditions), search.after.among(conditions)
        decided: dict[Condition, bool] = {}

        def holds(statement: Statement) -> Truth:
            return all_of(map(decided.get, conditions[statement]))

        def reached() -> Truth:
            self._budget.spend(size)
            return all_of([holds(search.region), search.goal(before, after, holds)])

        def key_of_next() -> str:
            """A key of the statement of which the least is open: it shows soonest that a choice was wrong."""
            open_ = [each for each in ordered if holds(each) is None]
            rest = [[one.key for one in conditions[each] if one not in decided] for each in open_]
            fewest = rest[0] if open_[0] == search.region else min(rest, key=len)
            return min(fewest)

        def find() -> dict[str, Value] | None:
            outcome = reached()
            if outcome is not None:
                return {} if outcome else None
            key = key_of_next()
            for results, value in self._ways_of(key, by_key[key], values).items():
                decided.update(zip(by_key[key], results, strict=True))
                rest = find()
                if rest is not None:
                    return {key: value, **rest}
            for condition in by_key[key]:
                del decided[condition]
            return None

        found = find()
        if found is None:
            return None
        for key in list(found):
            kept = {condition: decided.pop(condition) for condition in by_key[key]}
            if reached():
                del found[key]  # its value does not matter
            else:
                decided.update(kept)
        unknown = tuple(key for key in found if by_key[key][0].operator == UNKNOWN and found[key] is not None)
        shown = {key: value and tuple(map(readable, value)) for key, value in found.items()}
        return {by_key[key][0].name: shown[key] for key in found if by_key[key][0].operator != UNKNOWN}, unknown

"""The condition operators of IAM, and one value of a context key for each way in which several conditions hold.

How operators treat absent keys and several values:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address, ip_network
from typing import Any

from hello_queue.review.rights.budget import Budget
from hello_queue.review.rights.patterns import Pattern, literal, texts
from hello_queue.review.rights.variables import Form, filled, unescaped, variables

Value = tuple[str, ...] | None
"""The values of a context key in a request; None if the request does not have the key."""

UNKNOWN = "?"
"""The operator of a condition that may hold or not, whatever the request is: an unknown operator, for example."""

_ALWAYS_PRESENT = ("aws:currenttime", "aws:epochtime", "aws:securetransport", "aws:viaawsservice")
_BOOLEAN = ("aws:multifactorauthpresent", "aws:principalisawsservice", "aws:securetransport", "aws:viaawsservice")
_KINDS = {"string": "text", "arn": "text", "binary": "text", "numeric": "number", "date": "date", "bool": "bool"}
_KINDS |= {"ipaddress": "address", "null": ""}
_SUFFIXES = {
    "string": ("equals", "notequals", "equalsignorecase", "notequalsignorecase", "like", "notlike"),
    "arn": ("equals", "notequals", "like", "notlike"),
    "numeric": (*("equals", "notequals", "lessthan", "lessthanequals"), "greaterthan", "greaterthanequals"),
    "binary": ("equals",),
}
_SUFFIXES["date"] = _SUFFIXES["numeric"]
_OPERATORS = {family + suffix: family for family, suffixes in _SUFFIXES.items() for suffix in suffixes}
_OPERATORS |= {"bool": "bool", "ipaddress": "ipaddress", "notipaddress": "ipaddress", "null": "null"}


@dataclass(frozen=True)
class Condition:
    """One operator on one key.

    Attributes:
        operator: in lower case, without ForAllValues, ForAnyValue and IfExists.
        key: the context key, in lower case, or what is unknown.
        values: what the policy lists.
        over: "all" or "any" value of the key, or "".
        if_exists: whether it holds without the key.
        name: the key as the policy writes it.
    """

    operator: str
    key: str
    values: tuple[str, ...] = ()
    over: str = ""
    if_exists: bool = False
    name: str = field(default="", compare=False)

    @classmethod
    def parse(cls, operator: str, key: str, values: Sequence[str]) -> Condition:
        """The condition; if it cannot be modelled, one that is `UNKNOWN` and the same for the same text."""
        name, over = operator.lower(), ""
        for prefix, which in (("forallvalues:", "all"), ("foranyvalue:", "any")):
            if name.startswith(prefix):
                name, over = name.removeprefix(prefix), which
        if_exists = name.endswith("ifexists")
        name = name.removesuffix("ifexists")
        condition = cls(name, key.lower(), tuple(values), over, if_exists, key)
        try:
            known = name in _OPERATORS and values
            if known and condition.kind not in ("", "text", "bool"):
                for value in values:
                    condition.compares(value, value)
        except ValueError:
            known = False
        if not known or (name == "null" and over):
            return cls(UNKNOWN, f"{operator} {key} {' or '.join(sorted(values))}")
        return condition

    @property
    def kind(self) -> str:
        """The kind of values that it compares."""
        return _KINDS[_OPERATORS[self.operator]] if self.operator != UNKNOWN else ""

    @property
    def is_negated(self) -> bool:
        return "not" in self.operator

    def assuming(self, values: Mapping[str, str]) -> Condition:
        """The condition with variables replaced by their values."""
        if self.kind != "text" or not any(map(variables, self.values)):
            return self
        found = (filled(value, values) for value in self.values)
        return replace(self, values=tuple(each for each in found if each is not None))

    def forms(self) -> Iterator[Form]:
        """Its values as patterns with variables, if it compares texts."""
        for value in self.values if self.kind == "text" else ():
            exact = not (self.operator.startswith("arn") or "like" in self.operator)
            yield Form.parse(value, exact=exact, ignore_case="ignorecase" in self.operator)

    def pattern(self, value: str) -> Pattern:
        """A value of a text operator as a pattern."""
        return _pattern(self.operator, value)

    def holds(self, actual: Value) -> bool:
        """Whether it holds for the key's values in a request."""
        if self.operator == UNKNOWN:
            return actual is not None
        if self.operator == "null":
            return any((actual is None) == (value.lower() == "true") for value in self.values)
        if actual is None:
            return self.if_exists or self.over == "all" or (self.is_negated and not self.over)
        # A negated operator on several values in a policy means none of them.
        each = (any(self.compares(one, value) for value in self.values) != self.is_negated for one in actual)
        return all(each) if self.over == "all" or (self.is_negated and not self.over) else any(each)

    def compares(self, actual: str, value: str) -> bool:
        """Compare by the operator without its negation.

        Raises:
            ValueError: the policy's value is not of the operator's kind.
        """
        if self.kind == "text":
            return self.pattern(value).matches(actual)
        if self.kind == "bool":
            return actual.lower() == value.lower()
        if self.kind == "address":
            network = _network(value)
            return _readable(ip_address, actual) and ip_address(actual) in network
        read: Any = number if self.kind == "number" else date
        right = read(value)
        if not _readable(read, actual):
            return False
        left = read(actual)
        if "less" in self.operator:
            return bool(left < right or ("equals" in self.operator and left == right))
        if "greater" in self.operator:
            return bool(left > right or ("equals" in self.operator and left == right))
        return bool(left == right)


@functools.lru_cache(maxsize=4096)  # a pattern keeps its regular expression
def _pattern(operator: str, value: str) -> Pattern:
    text = unescaped(value)
    if operator.startswith("arn"):
        return Pattern(text, segments=True)
    return Pattern(text if "like" in operator else literal(text), ignore_case="ignorecase" in operator)


_network = functools.lru_cache(maxsize=4096)(functools.partial(ip_network, strict=False))


def number(text: str) -> float:
    return float(text)


def date(text: str) -> datetime:
    """An ISO 8601 date, or seconds since 1970.

    Raises:
        ValueError: it is neither.
    """
    if text.replace(".", "", 1).isdigit() and len(text) > 4:
        try:
            return datetime.fromtimestamp(float(text), timezone.utc)
        except (OverflowError, OSError):
            raise ValueError(text) from None
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _readable(read: Any, text: str) -> bool:
    try:
        read(text)
    except (ValueError, OverflowError):
        return False
    return True


def values_of(
    key: str, conditions: Sequence[Condition], fixed: Sequence[Value] = (), budget: Budget | None = None
) -> dict[tuple[bool, ...], Value]:
    """One value of a key for each way in which the conditions on it hold or not.

    Args:
        key: in lower case.
        conditions: all on this key.
        fixed: the only values that the key may have, if any are given.

    Raises:
        TooComplexError: there are too many ways.
    """
    budget = budget or Budget()
    found: dict[tuple[bool, ...], Value] = {}
    listed = 1 + sum(len(condition.values) for condition in conditions)

    def ways(value: Value) -> tuple[bool, ...]:
        budget.spend(listed * len(value or " "))
        result = tuple(condition.holds(value) for condition in conditions)
        found.setdefault(result, value)
        return result

    if fixed:
        for value in fixed:
            ways(value)
        return found
    single: dict[tuple[bool, ...], str] = {}
    for text in dict.fromkeys(_single(key, conditions, budget)):
        single.setdefault(ways((text,)), text)
    if key not in _ALWAYS_PRESENT:
        ways(None)
    if any(condition.over for condition in conditions):
        # What the conditions make of a set is known from what they make of its values, and of a set with one less.
        sets: dict[tuple[bool, ...], tuple[str, ...]] = {result: (text,) for result, text in single.items()}
        ahead = list(sets.values())
        for values in ahead:
            for text in single.values():
                more = (*values, text)
                if text not in values and (result := ways(more)) not in sets:
                    sets[result] = more
                    ahead.append(more)
    return found


def _single(key: str, conditions: Sequence[Condition], budget: Budget) -> Iterator[str]:
    kinds = {kind: [one for one in conditions if one.kind == kind] for kind in ("bool", "address", "number", "date")}
    reads: list[Any] = []
    if key in _BOOLEAN or kinds["bool"]:
        yield from ("true", "false")
        if key in _BOOLEAN:
            return
    if kinds["address"]:
        reads.append(ip_address)
        yield from ("203.0.113.7", "2001:db8::7", "0.0.0.0", "::")  # noqa: S104 (an address to compare with)
        for value in (value for each in kinds["address"] for value in each.values):
            network = _network(value)
            yield str(network.network_address)
            if int(network.broadcast_address) + 1 < 2**network.max_prefixlen:
                yield str(network.broadcast_address + 1)
    if kinds["number"]:
        reads.append(number)
        numbers = sorted({number(value) for each in kinds["number"] for value in each.values})
        whole = all(each.is_integer() for each in numbers)
        between = [] if whole else [(one + other) / 2 for one, other in itertools.pairwise(numbers)]
        for each in [*numbers, *(one + step for one in numbers for step in (-1, 1)), *between]:
            yield str(int(each)) if each.is_integer() else str(each)
    if kinds["date"]:
        reads.append(date)
        for moment in sorted({date(value) for one in kinds["date"] for value in one.values}):
            for step in (0, -1, 1):
                with contextlib.suppress(OverflowError):
                    yield (moment + timedelta(seconds=step)).isoformat()
    # What a key is compared with as a number, say, is a number, even if other conditions take it for a text.
    for text in _texts(conditions, budget, reads):
        if not reads or any(_readable(read, text) for read in reads):
            yield text


def _texts(conditions: Sequence[Condition], budget: Budget, reads: Sequence[Any]) -> Iterator[str]:
    groups = [[each.pattern(value) for value in each.values] for each in conditions if each.kind == "text"]
    unique = [one.text for one in dict.fromkeys(one for group in groups for one in group)]
    exact = [text for text in unique if not {"*", "?"} & {*text}]
    filled = [text.replace("*", "any").replace("?", "x") for text in unique]
    yield from texts(groups, [*exact, *filled, "any", ""], budget=budget).values()
    for text, filler in itertools.product(unique if reads else (), ("", "0", "1", "0.0", "0.0.0")):
        yield text.replace("*", filler).replace("?", "0")

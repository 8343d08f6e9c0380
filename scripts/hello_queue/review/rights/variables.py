"""Policy variables such as ${aws:username}, and what CloudFormation fills in: the values that matter."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from hello_queue.review.rights.budget import Budget, TooComplexError
from hello_queue.review.rights.patterns import Pattern, literal, texts

VARIABLE = re.compile(
    r"\$\{(?:(AWS::(?:AccountId|Region|Partition))| *([\w-]+:(?!:)[^},]*[^},\s]) *(?:, *'([^']*)' *)?)\}"
)
"""A policy variable, or a name that CloudFormation fills in. Their names have no colon, or two."""

ABSENT = ""
"""The value of a variable that a request does not have."""

_ANY_VALUE = "?*"
"""What a variable may stand for, as a pattern: it is never empty."""

_ACCOUNT, _REGION, _NAME = re.compile(r"\d{12}"), re.compile(r"[a-z]{2}-(?:[a-z]+-)+\d"), re.compile(r"[\w.@+=,-]+")
_VALUES = {"aws::accountid": _ACCOUNT, "aws:principalaccount": _ACCOUNT, "aws::region": _REGION, "aws:username": _NAME}
_IN_EACH_REQUEST = ("aws:currenttime", "aws:epochtime", "aws:principalaccount", "aws:principaltype", "aws:userid")
_OWN_VALUES = {f"aws::{name.lower()}": f"${{AWS::{name}}}" for name in ("AccountId", "Region", "Partition")}
_OWN_VALUES["aws:principalaccount"] = "123456789012"
_ESCAPE = re.compile(r"\$\{([*?$])\}")
_OF_2012 = re.compile(r"\$\{(?=[*?$]\}| *[\w-]+:(?!:))")
_MOST_PARTS = 100
"""Parts of a pattern that one variable may stand for."""


def name_of(found: re.Match[str]) -> str:
    """The name of a variable, in lower case."""
    return (found[1] or found[2]).lower()


@functools.cache
def variables(text: str) -> Mapping[str, str]:
    """The names of the variables in a text, by the same in lower case."""
    return {name_of(found): found[1] or found[2] for found in VARIABLE.finditer(text)} if "${" in text else {}


def own_value(name: str) -> str:
    """The value of a variable that is tried first: an example, or what CloudFormation fills in as its name."""
    return _OWN_VALUES.get(name) or f"example-{re.sub('[^a-z0-9]+', '-', re.split('[:/]', name)[-1])}"


def filled(text: str, values: Mapping[str, str]) -> str | None:
    """The text with the values of variables; None if one of them is absent and has no default."""
    if "${" not in text:
        return text
    if any(values.get(name_of(found)) == ABSENT and found[3] is None for found in VARIABLE.finditer(text)):
        return None
    return VARIABLE.sub(lambda found: values.get(name_of(found), found[0]) or found[3], text)


def is_possible(name: str, value: str) -> bool:
    """Whether a variable can have a value."""
    kind = _VALUES.get(name)
    return not {"*", "?"} & {*value} and (kind is None or kind.fullmatch(value) is not None)


def is_optional(name: str) -> bool:
    """Whether a request may be without a variable."""
    return "::" not in name and name not in _IN_EACH_REQUEST


def unescaped(text: str) -> str:
    """``${*}`` and the like are the characters themselves, and no wildcards."""
    return _ESCAPE.sub(lambda found: literal(found[1]), text) if "${" in text else text


def without_variables(text: str) -> str:
    """What a policy of version 2008-10-17 means by a text: it has no variables.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
    """
    return _OF_2012.sub("${$}{", text)


@dataclass(frozen=True)
class Form:
    """A pattern with variables.

    Attributes:
        pieces: what is before, between and behind the variables.
        names: of the variables, in lower case.
        ignore_case: as in StringEqualsIgnoreCase.
    """

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    ignore_case: bool = False

    @property
    def any_value(self) -> str:
        """The form as a pattern, with any values of its variables."""
        return _ANY_VALUE.join(self.pieces)

    @classmethod
    def parse(cls, text: str, *, exact: bool = False, ignore_case: bool = False) -> Form:
        """The form of a text in a policy, in which ``*`` and ``?`` are no wildcards if it is ``exact``."""
        pieces, names, at = [], [], 0
        for found in VARIABLE.finditer(text):
            pieces.append(text[at : found.start()])
            names.append(name_of(found))
            at = found.end()
        plain = [unescaped(each) for each in (*pieces, text[at:])]
        return cls(tuple(map(literal, plain)) if exact else tuple(plain), tuple(names), ignore_case)

    def patterns(self, name: str) -> Iterator[str]:
        """The form as patterns: with any values of its variables, and with values that are no others'."""
        yield self.any_value
        if self.names and name not in self.names:
            rest = (own_value(each) + piece for each, piece in zip(self.names, self.pieces[1:], strict=True))
            yield "".join([self.pieces[0], *rest])

    def around(self, name: str) -> Iterator[tuple[str, str]]:
        """What is before and behind each place of a variable, as patterns."""
        for index, each in enumerate(self.names, 1):
            if each == name:
                yield _ANY_VALUE.join(self.pieces[:index]), _ANY_VALUE.join(self.pieces[index:])


def telling(
    name: str, compared: Iterable[Collection[Form]], own: Iterable[Iterable[Pattern]], budget: Budget
) -> list[str]:
    """Values of a variable beside its own, one for each way in which they make patterns match what others match.

    Args:
        compared: patterns that are compared with the same text of a request: all resources, or all values of a key.
        own: patterns that the value itself is compared with.
    """
    groups: dict[tuple[Pattern, ...], None] = {tuple(each): None for each in own}
    for forms in compared:
        others = {(text, each.ignore_case): None for each in forms for text in each.patterns(name)}
        for form in forms:
            for before, behind in form.around(name):
                for other, ignore_case in others:
                    parts = _parts(before, behind, other, form.ignore_case or ignore_case, budget)
                    groups.setdefault(parts)
    # What matches all values, or none, tells nothing.
    told = [each for each in groups if each and not any(one.text in ("*", _ANY_VALUE) for one in each)]
    shortest = (one.text.replace("*", "").replace("?", "x") for each in told for one in each)
    likely = [text for text in dict.fromkeys(shortest) if text and is_possible(name, text)]
    try:
        found = texts(told, likely, budget=budget)
    except TooComplexError:
        return likely
    own_text = own_value(name)
    its_own = sum(1 << index for index, each in enumerate(told) if any(one.matches(own_text) for one in each))
    return [text for bits, text in found.items() if bits != its_own and is_possible(name, text)]


@functools.lru_cache(maxsize=8192)
def _cut(before: str, behind: str, other: str) -> tuple[str, ...]:
    starts = _reached(before, other)
    ends = {len(other) - each for each in _reached(behind[::-1], other[::-1])}
    pairs = ((start, end) for start, end in itertools.product(sorted(starts), sorted(ends)) if start < end)
    return tuple(dict.fromkeys(other[start:end] for start, end in itertools.islice(pairs, _MOST_PARTS)))


def _parts(before: str, behind: str, other: str, ignore_case: bool, budget: Budget) -> tuple[Pattern, ...]:
    """What a text between two patterns must match so that all three together match something that another matches."""
    budget.spend(1 + (len(before) + len(behind)) // 4)
    if ignore_case:
        before, behind, other = before.lower(), behind.lower(), other.lower()
    return tuple(Pattern(each, ignore_case=ignore_case) for each in _cut(before, behind, other))


def _reached(one: str, other: str) -> set[int]:
    """Where in a pattern a text can end that matches all of another pattern."""
    seen, ahead = {(0, 0)}, [(0, 0)]
    for i, j in ahead:
        left, right = one[i : i + 1], other[j : j + 1]
        following = [(i + 1, j)] if left == "*" else []
        following += [(i, j + 1)] if right == "*" else []
        if left and right and (left == right or {left, right} & {"*", "?"}):
            following.append((i + (left != "*"), j + (right != "*")))
        for each in following:
            if each not in seen:
                seen.add(each)
                ahead.append(each)
    return {j for i, j in seen if i == len(one)}

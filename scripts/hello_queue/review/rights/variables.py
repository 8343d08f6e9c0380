"""Policy variables such as ${aws:username}, and what CloudFormation fills in: the values that matter."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

VARIABLE = re.compile(r"\$\{(?:(AWS::(?:AccountId|Region|Partition))|([\w-]+:(?!:)[^},]+)(?:, *'[^']*')?)\}")
"""A policy variable, or a name that CloudFormation fills in. Their names have no colon, or two."""

ANYTHING = "?*"
"""What a variable may stand for, as a pattern: it is never empty."""

_ACCOUNT, _REGION, _NAME = re.compile(r"\d{12}"), re.compile(r"[a-z]{2}-(?:[a-z]+-)+\d"), re.compile(r"[\w.@+=,-]+")
_VALUES = {"aws::accountid": _ACCOUNT, "aws:principalaccount": _ACCOUNT, "aws::region": _REGION, "aws:username": _NAME}
_GAP = re.compile(rf"{VARIABLE.pattern}|(?<!\$\{{)\*")


def name_of(found: re.Match[str]) -> str:
    """The name of a variable, in lower case."""
    return (found[1] or found[2]).lower()


@functools.cache
def variables(text: str) -> frozenset[str]:
    """The names of the variables in a text, in lower case."""
    return frozenset(name_of(found) for found in VARIABLE.finditer(text)) if "${" in text else frozenset()


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with the values of variables."""
    return VARIABLE.sub(lambda found: values.get(name_of(found), found[0]), text) if "${" in text else text


def generalized(text: str) -> str:
    """The text with what matches any value instead of variables."""
    return VARIABLE.sub(ANYTHING, text)


def is_possible(name: str, value: str) -> bool:
    """Whether a variable can have a value."""
    kind = _VALUES.get(name)
    return not {"*", "?"} & {*value} and (kind is None or kind.fullmatch(value) is not None)


def unescaped(text: str) -> str:
    """``${*}`` and the like are the characters themselves, and no wildcards."""
    for escape, character in (("${*}", "\u2217"), ("${?}", "\u2217"), ("${$}", "$")):
        text = text.replace(escape, character)
    return text


def solved(pattern: str, text: str) -> dict[str, str]:
    """Possible values of the variables in a pattern for which it matches a text; empty if none are found."""
    names = [name_of(found) if found[0] != "*" else "" for found in _GAP.finditer(pattern)]
    first, *chunks = [unescaped(each) for each in _GAP.sub("\0", pattern).split("\0")]
    if not names or not _literal(first).match(text):
        return {}
    values: dict[str, str] = {}
    at = len(first)
    for name, chunk in zip(names, chunks, strict=True):
        least, last = at + bool(name), len(text) - len(chunk)
        # What a text must end with is there; all else is the first of its kind.
        found = _literal(chunk).search(text, max(least, last) if chunk is chunks[-1] else least)
        if not found or found.start() < least:  # a search from behind the end begins at the end
            return {}
        if name:
            values.setdefault(name, text[at : found.start()])
        at = found.end()
    return {name: value for name, value in values.items() if is_possible(name, value)} if at == len(text) else {}


@functools.lru_cache(maxsize=4096)
def _literal(text: str) -> re.Pattern[str]:
    """A text in which only ``?`` is a wildcard."""
    return re.compile(re.escape(text).replace(r"\?", "."), re.DOTALL)

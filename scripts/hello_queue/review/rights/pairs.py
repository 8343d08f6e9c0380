"""Judges pairs of policies whose verdict is known: python -m hello_queue.review.rights.pairs FILE..."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hello_queue.review.rights.budget import Budget, TooComplexError
from hello_queue.review.rights.decision import Request, Requests
from hello_queue.review.rights.policies import Policies, Search, newly_allowed, unaffected
from hello_queue.review.rights.principals import account_of
from hello_queue.review.rights.statements import Statement, listed, parse

ANYONE = "anyone else"


def wider(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, Request] | None:
    """A principal and its request that policy document ``after`` allows and ``before`` does not, if there is one.

    Policies that cannot be compared within the budget count as wider.
    """
    for principal in sorted({*_principals(before), *_principals(after), ANYONE}):
        old, new = (Policies(tuple(statements_about(principal, document))) for document in (before, after))
        try:
            if old != new and (found := _new_request(old, new)):
                return principal, found
        except TooComplexError:
            return principal, Request("*", "*", unknown=("the policies could not be compared exactly",))
    return None


def _new_request(old: Policies, new: Policies) -> Request | None:
    budget = Budget()
    requests = Requests([*old.statements, *new.statements], budget=budget)
    for statement in new.identity:
        search = Search(statement, newly_allowed, old, new, unaffected(statement, old, new))
        budget.begin()
        tried = requests.revealing(search) if statement.allows else ()
        if found := next(filter(None, (requests.first(search, values) for values in tried)), None):
            return found
    return None


def _principals(document: Mapping[str, Any]) -> Iterator[str]:
    for _, source in parse(document):
        for element in ("Principal", "NotPrincipal"):
            yield from _named(source.get(element))


def _named(element: Any) -> Iterator[str]:
    if isinstance(element, Mapping):
        for kind, names in element.items():
            of_aws = (account_of(f"{name}") or f"{name}" for name in listed(names))
            yield from of_aws if kind == "AWS" else (f"{kind} {name}" for name in listed(names))
    else:
        yield from map(str, listed(element))


def statements_about(principal: str, document: Mapping[str, Any]) -> Iterator[Statement]:
    """The statements of a document that are about a principal."""
    for statement, source in parse(document):
        if "NotPrincipal" in source:
            if not {principal, "*"} & {*_named(source["NotPrincipal"])}:
                yield statement
        elif "Principal" not in source or {principal, "*"} & (names := {*_named(source["Principal"])}):
            yield statement
        elif not statement.allows and any(account_of(each) and f":{each}:" in principal for each in names):
            yield statement  # a denial of an account is one of its users and roles


def main(files: list[str]) -> int:
    pairs = missed = alarms = really = 0
    slowest, spent = 0.0, time.process_time()
    for file in files:
        for line in Path(file).read_text().splitlines():
            pair = json.loads(line)
            begun = time.process_time()
            found = wider(pair["before"], pair["after"])
            slowest = max(slowest, time.process_time() - begun)
            pairs += 1
            really += pair["wider"]
            if bool(found) != pair["wider"]:
                missed, alarms = missed + pair["wider"], alarms + (not pair["wider"])
                print(f"{'missed' if pair['wider'] else 'false alarm'}: {pair.get('case', '')}")
                if found:
                    print(f"    {found[0]}: {found[1]}")
    spent = time.process_time() - spent
    print(f"{pairs} pairs, {really} wider: {missed} missed; {pairs - really} not wider: {alarms} false alarms")
    print(f"CPU time: {1000 * spent / max(pairs, 1):.1f} ms a pair, {1000 * slowest:.0f} ms for the slowest")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

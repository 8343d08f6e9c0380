"""Statements of policies, as the decision compares them."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hello_queue.review.rights.conditions import UNKNOWN, Condition
from hello_queue.review.rights.patterns import Pattern
from hello_queue.review.rights.variables import Form, filled, unescaped, variables, without_variables


@dataclass(frozen=True)
class Statement:
    """What is allowed or denied to whoever the policy is for.

    Attributes:
        allows: whether the effect is Allow.
        actions: patterns.
        resources: patterns.
        conditions: all of them must hold.
        but_actions: whether the actions are those of NotAction.
        but_resources: whether the resources are those of NotResource.
    """

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    conditions: tuple[Condition, ...] = ()
    but_actions: bool = False
    but_resources: bool = False

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.allows, self.actions, self.resources, self.conditions, self.but_actions, self.but_resources))

    @functools.cached_property
    def variables(self) -> Mapping[str, str]:
        """The names of the variables in it, by the same in lower case."""
        values = (value for one in self.conditions if one.kind == "text" for value in one.values)
        return {key: name for text in (*self.resources, *values) for key, name in variables(text).items()}

    @property
    def is_unconditional(self) -> bool:
        """Whether it holds for each request for one of its actions."""
        return "*" in self.resources and not self.but_resources and not self.conditions

    def may_be_about(self, resource: str) -> bool:
        """Whether one of its resources matches for some values of its variables."""
        return any(resource_pattern(Form.parse(text).any_value).matches(resource) for text in self.resources)

    def assuming(self, values: Mapping[str, str]) -> Statement:
        """The statement with variables replaced by their values.

        A resource or a value with an absent variable matches nothing:
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-no-value
        """
        if self.variables.keys().isdisjoint(values):
            return self
        return replace(
            self,
            resources=tuple(filled(each, values) or "" for each in self.resources),
            conditions=tuple(one.assuming(values) for one in self.conditions),
        )


def open_variables(statements: Iterable[Statement], values: Collection[str]) -> set[str]:
    """The variables of statements that have no values yet."""
    return {name for each in statements for name in each.variables} - {*values}


@functools.lru_cache(maxsize=8192)
def resource_pattern(text: str) -> Pattern:
    """A resource of a policy. ``${*}`` and the like are the characters themselves."""
    return Pattern(unescaped(text))


def listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def parse_conditions(block: Any) -> tuple[Condition, ...]:
    """The conditions of a statement. What cannot be modelled is `UNKNOWN`."""
    if not isinstance(block, Mapping) or not all(isinstance(keys, Mapping) for keys in block.values()):
        return (undecided(block),)
    found = []
    for operator, keys in block.items():
        for key, values in keys.items():
            texts = [_as_text(value) for value in listed(values)]
            if any(_is_undecided(value) for value in listed(values)):
                found.append(undecided({operator: {key: values}}))
            else:
                found.append(Condition.parse(operator, key, texts))
    return tuple(found)


def undecided(value: Any) -> Condition:
    """A condition that holds or does not, and nobody knows before the deployment."""
    return Condition(UNKNOWN, value if isinstance(value, str) else json.dumps(value, sort_keys=True))


def _is_undecided(value: Any) -> bool:
    return isinstance(value, (Mapping, list)) or (isinstance(value, str) and value.startswith('{"'))


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse(document: Mapping[str, Any]) -> Iterator[tuple[Statement, Mapping[str, Any]]]:
    """The statements of a policy document, each with what it was made of.

    A resource that is decided at deploy time is any, on a condition that nobody knows.
    """
    if str(document.get("Version")) != "2012-10-17":
        document = _mapped(document, without_variables)
    for each in listed(document.get("Statement")):
        if not isinstance(each, Mapping) or each.get("Effect") not in ("Allow", "Deny"):
            continue
        but_actions, but_resources = "NotAction" in each, "NotResource" in each
        actions = tuple(map(_as_text, listed(each.get("NotAction" if but_actions else "Action"))))
        resources = listed(each.get("NotResource" if but_resources else "Resource", "*"))
        conditions = parse_conditions(each.get("Condition", {}))
        later = [resource for resource in resources if _is_undecided(resource)]
        certain = tuple(str(resource) for resource in resources if resource not in later)
        allows = each["Effect"] == "Allow"
        if but_resources and later:  # none of them
            conditions, later = (*conditions, *map(undecided, later)), []
            certain, but_resources = certain or ("*",), bool(certain)
        if certain or not later:
            yield Statement(allows, actions, certain, conditions, but_actions, but_resources), each
        for resource in later:
            yield Statement(allows, actions, ("*",), (*conditions, undecided(resource)), but_actions), each


def _mapped(value: Any, function: Callable[[str], str]) -> Any:
    """The value with each text in it replaced."""
    if isinstance(value, Mapping):
        return {key: _mapped(each, function) for key, each in value.items()}
    if isinstance(value, list):
        return [_mapped(each, function) for each in value]
    return function(value) if isinstance(value, str) else value


def split(statement: Statement) -> Iterator[Statement]:
    """The statement as one for each action and resource, where that has the same meaning."""
    actions = [statement.actions] if statement.but_actions else [(each,) for each in statement.actions]
    resources = [statement.resources] if statement.but_resources else [(each,) for each in statement.resources]
    for action, resource in itertools.product(actions, resources):
        yield replace(statement, actions=action, resources=resource)

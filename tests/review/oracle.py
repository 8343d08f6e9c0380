"""Whether a request is allowed, from AWS's documentation and without any code of the decision: what to compare it with.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Values = tuple[str, ...] | None
Context = Mapping[str, Values]
Policy = Mapping[str, Any]
Token = tuple[str, bool]
"""A character, and whether it is a wildcard."""


@dataclass(frozen=True)
class Account:
    """All policies that bear on requests to one queue.

    Attributes:
        own: the identity policies of each principal, those of its groups among them.
        boundaries: the permissions boundaries of the principals that have one.
        of_queue: the policy of the queue.
    """

    own: Mapping[str, Sequence[Policy]] = field(default_factory=dict)
    boundaries: Mapping[str, Policy] = field(default_factory=dict)
    of_queue: Policy = field(default_factory=lambda: {"Statement": []})

    def allows(self, who: str, action: str, resource: str, context: Context, *, is_queue: bool) -> bool:
        """Whether a principal may make a request. Within one account, an Allow of the queue's policy is enough."""
        about = action, resource, context
        own = [effect for policy in self.own.get(who, ()) for effect in effects(policy, *about)]
        limits = effects(self.boundaries[who], *about) if who in self.boundaries else ["Allow"]
        queue = effects(self.of_queue, *about, who=who) if is_queue else []
        if "Deny" in (*own, *limits, *queue):
            return False
        return ("Allow" in own and "Allow" in limits) or "Allow" in queue


def effects(policy: Policy, action: str, resource: str, context: Context, who: str | None = None) -> list[str]:
    """The effects of the statements that apply to a request."""
    variables = context if policy.get("Version") == "2012-10-17" else None
    return [
        each["Effect"]
        for each in policy["Statement"]
        if (who is None or is_about(each, who))
        and matches_any(each, "Action", action.lower(), None, lower=True)
        and matches_any(each, "Resource", resource, variables)
        and all(
            holds(operator, key, listed(values), context, variables)
            for operator, keys in each.get("Condition", {}).items()
            for key, values in keys.items()
        )
    ]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def is_about(statement: Policy, who: str) -> bool:
    """Whether a statement of a queue's policy is about a principal. Tests name principals by what they are."""
    if "NotPrincipal" in statement:
        return who not in listed(statement["NotPrincipal"])
    named = listed(statement["Principal"])
    if "*" in named or who in named:
        return True
    # An account that is allowed something leaves it to the policies of its users. Anyone may be in another account.
    return "account" in named and statement["Effect"] == "Deny" and not who.startswith(("service", "anyone"))


def matches_any(statement: Policy, element: str, text: str, variables: Context | None, *, lower: bool = False) -> bool:
    excluding = f"Not{element}" in statement
    patterns = [str(each) for each in listed(statement[f"Not{element}" if excluding else element])]
    found = any(matches(each.lower() if lower else each, text, variables, wild=True) for each in patterns)
    return found != excluding


def matches(pattern: str, text: str, variables: Context | None, *, wild: bool, ignore_case: bool = False) -> bool:
    tokens = expanded(pattern, variables)
    if tokens is None:
        return False
    if not wild:
        tokens = [(character, False) for character, _ in tokens]
    if ignore_case:
        tokens, text = [(character.lower(), is_wild) for character, is_wild in tokens], text.lower()
    return glob(tuple(tokens), text)


def expanded(pattern: str, variables: Context | None) -> list[Token] | None:
    """A pattern with the values of its variables, which are no patterns; None if one has no value."""
    found: list[Token] = []
    rest = pattern
    while rest:
        if rest.startswith("${") and "}" in rest and variables is not None:
            inside, _, rest = rest[2:].partition("}")
            if inside in ("*", "?", "$"):
                value: str | None = inside
            else:
                name, comma, default = inside.partition(",")
                values = variables.get(name.strip().lower())
                value = values[0] if values else (default.strip()[1:-1] if comma else None)
            if value is None:
                return None
            found += [(character, False) for character in value]
        else:
            found.append((rest[0], rest[0] in "*?"))
            rest = rest[1:]
    return found


@functools.lru_cache(maxsize=200_000)
def glob(tokens: tuple[Token, ...], text: str) -> bool:
    if not tokens:
        return text == ""
    character, is_wild = tokens[0]
    if is_wild and character == "*":
        return glob(tokens[1:], text) or (text != "" and glob(tokens, text[1:]))
    return text != "" and (is_wild or character == text[0]) and glob(tokens[1:], text[1:])


def holds(operator: str, key: str, values: Sequence[Any], context: Context, variables: Context | None) -> bool:
    """Whether a condition holds, as reference_policies_elements_condition_operators.html says."""
    quantifier, colon, name = operator.lower().rpartition(":")
    if_exists = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    actual = context.get(key.lower())
    wanted = [str(each).lower() if isinstance(each, bool) else str(each) for each in values]
    if name == "null":
        return ("true" in wanted) if actual is None else ("false" in wanted)
    negated = "not" in name
    if actual is None:
        return if_exists or (quantifier == "forallvalues" if colon else negated)
    one_each = [
        any(compare(name.replace("not", ""), one, each, variables) for each in wanted) != negated for one in actual
    ]
    if quantifier == "foranyvalue":
        return any(one_each)
    return all(one_each)


def compare(operator: str, actual: str, wanted: str, variables: Context | None) -> bool:
    """Whether a value is what a policy asks for, by an operator without its Not."""
    if operator.startswith("string"):
        return matches(wanted, actual, variables, wild="like" in operator, ignore_case="ignorecase" in operator)
    if operator.startswith("arn"):
        parts, patterns = actual.split(":", 5), wanted.split(":", 5)
        return len(parts) == len(patterns) == 6 and all(
            matches(pattern, part, variables, wild=True) for pattern, part in zip(patterns, parts, strict=True)
        )
    if operator == "bool":
        return actual.lower() == wanted.lower()
    if operator == "ipaddress":
        return ipaddress.ip_address(actual) in ipaddress.ip_network(wanted)
    kind: Any = float if operator.startswith("numeric") else _moment
    left, right = kind(actual), kind(wanted)
    return bool(
        (left < right and "less" in operator)
        or (left > right and "greater" in operator)
        or (left == right and "equals" in operator)
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))

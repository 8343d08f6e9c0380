"""A right: a statement of a policy, and whom it is for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hello_queue.review.rights.principals import OWN_ACCOUNT, account_of
from hello_queue.review.rights.statements import Statement, listed

ANYONE = "anyone"
OF_TEMPLATE = "Condition"
"""Stands among the operators of a condition for one of the template."""

_PLAIN = re.compile(r"(?:role )?[\w.:/*?${}@+=~#%|-]+")
_VERBS = {"Bool": "is", "StringEquals": "is", "StringNotEquals": "is not", "StringLike": "is like"}
_VERBS |= {"StringNotLike": "is not like", "ArnLike": "matches", "ArnEquals": "matches", "IpAddress": "is in"}
_VERBS |= {"NotIpAddress": "is not in"}
_NULL = {"true": "is absent", "false": "is present"}


@dataclass(frozen=True)
class Right:
    """A statement of a policy, and whom it is for.

    Attributes:
        who: the principal.
        statement: what it may or may not do, or what nobody knows before the deployment.
        condition: the condition, or several, as JSON with sorted keys, for readers.
        attached: for a resource policy, the resource that has it.
        world: the document that decides alone about these requests, as the trust policy of a role does; empty for all
            others, which decide together.
        excepted: the principals of NotPrincipal.
        label: for readers, instead of actions that nobody knows.
        shown: the resources as the policy has them, if the statement is narrower because of where the policy is.
        where: the resource that contains the statement, as stack/logical id.
        is_identity: whether it is in a policy of the principal itself, and not in one of a resource.
    """

    who: str
    statement: Statement
    condition: str = "{}"
    attached: str = ""
    world: str = ""
    excepted: frozenset[str] = frozenset()
    label: str = ""
    shown: tuple[str, ...] = ()
    where: str = field(default="", compare=False)
    is_identity: bool = False

    @property
    def is_certain(self) -> bool:
        return self.label == ""

    def scope(self, actions: tuple[str, ...] = (), resources: tuple[str, ...] = ()) -> str:
        """What is allowed or denied, as a phrase; only these actions and resources, if any are given."""
        if self.label:
            return self.label
        names = _listed(actions or self.statement.actions, self.statement.but_actions, "action")
        on = _listed(resources or self.shown or self.statement.resources, self.statement.but_resources, "resource")
        if self.attached and on == "any resource":
            on = self.attached
        of = "" if self.attached in on else f" by the policy of {self.attached}"
        return f"{names} on {on}{of}{self.only_if}"

    @property
    def only_if(self) -> str:
        """Its condition, as the end of a sentence."""
        terms = [term for block in listed(json.loads(self.condition)) for term in _terms(block)]
        return f" if {' and '.join(terms)}" if terms else ""


def named(who: str) -> str:
    """A principal in words."""
    if who.startswith("any holder of "):
        return f"whoever has {who.removeprefix('any holder of ')}"
    if who == OWN_ACCOUNT:
        return "this account"
    return f"account {who}" if account_of(who) else who


def _listed(patterns: tuple[str, ...], but: bool, noun: str) -> str:
    if not but and "*" in patterns:
        return f"any {noun}"
    return f"any {noun} but " * but + ", ".join(map(_quoted, sorted(patterns)))


def _terms(block: Any) -> Iterator[str]:
    """Conditions in words. Operators that not everybody knows keep their name."""
    for operator, keys in block.items() if isinstance(block, Mapping) else [("", block)]:
        if operator == OF_TEMPLATE:
            yield f"condition {keys} of the template holds"
        elif not isinstance(keys, Mapping):
            yield f"{json.dumps({operator: keys} if operator else keys)} holds"
        else:
            for key, values in keys.items():
                shown = " or ".join(map(_quoted, listed(values)))
                verb = _NULL.get(shown, shown) if operator == "Null" else f"{_VERBS.get(operator, operator)} {shown}"
                yield f"{_quoted(key)} {verb}"


def _quoted(value: Any) -> str:
    """A value as it is, or in quotes if it could be taken for more of the sentence."""
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value)


@dataclass
class Rights:
    """All rights in templates.

    Attributes:
        all: each statement, once for each principal that it is for.
        members: the groups of each user.
        boundaries: the statements of each identity's permissions boundary, if the templates have it.
        aliases: users and roles by their ARNs.
        incomplete: who has policies whose documents the templates do not have.
        limits: whoever has policies that are permissions boundaries: nobody, and they allow nothing.
        arns: ARNs of resources that policies name.
    """

    all: list[Right] = field(default_factory=list)
    members: dict[str, set[str]] = field(default_factory=dict)
    boundaries: dict[str, tuple[Statement, ...]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)
    limits: set[str] = field(default_factory=set)

    @property
    def arns(self) -> list[str]:
        found = {text for right in self.all for text in right.statement.resources}
        return sorted(text for text in found if text.startswith("arn:") and not {"*", "?"} & {*text})

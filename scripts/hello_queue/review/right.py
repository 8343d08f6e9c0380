"""A right: a statement of a policy, and whom it is for."""

from __future__ import annotations

from dataclasses import dataclass, field

from hello_queue.review.rights.statements import Statement

ANYONE = "anyone"
ALL_BUT = "everything but "


@dataclass(frozen=True)
class Right:
    """A statement of a policy, and whom it is for.

    Attributes:
        who: the principal.
        statement: what it may or may not do, or what nobody knows before the deployment.
        condition: as JSON with sorted keys, for readers.
        attached: for a resource policy, the resource that has it.
        world: the document that decides alone about these requests, as the trust policy of a role does; "" for all
            others, which decide together.
        excepted: the principals of NotPrincipal.
        label: for readers, instead of actions that nobody knows.
        shown: the resources as the policy has them, if the statement is narrower because of where the policy is.
        where: the resource that contains the statement, as stack/logical id.
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

    def summary(self, actions: tuple[str, ...], resources: tuple[str, ...]) -> str:
        """The right for some of its actions and resources, as one line."""
        effect = "allow" if self.statement.allows else "deny"
        names = ", ".join(sorted(actions))
        if self.statement.but_actions:
            names = f"{ALL_BUT}{names}"
        on = ", ".join(sorted(resources))
        if self.statement.but_resources:
            on = f"{ALL_BUT}{on}"
        of = "" if self.attached in on else f" (of {self.attached})"
        condition = "" if self.condition == "{}" else f" if {self.condition}"
        return f"{effect} {self.label or names} on {on}{of}{condition}"


@dataclass
class Rights:
    """All rights in templates.

    Attributes:
        all: each statement, once for each principal that it is for.
        members: the groups of each user.
        boundaries: the statements of each identity's permissions boundary, if the templates have it.
        aliases: users and roles by their ARNs.
        incomplete: who has policies whose documents the templates do not have.
        arns: ARNs of resources that policies name.
    """

    all: list[Right] = field(default_factory=list)
    members: dict[str, set[str]] = field(default_factory=dict)
    boundaries: dict[str, tuple[Statement, ...]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)

    @property
    def arns(self) -> list[str]:
        found = {text for right in self.all for text in right.statement.resources}
        return sorted(text for text in found if text.startswith("arn:") and not {"*", "?"} & {*text})

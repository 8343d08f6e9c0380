"""The results of a review: findings, which need a decision, and notes, which do not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

WHY = {
    "escalation": "With these rights, their holder can take all other rights.",
    "wider-rights": "A principal may do what it could not do before.",
    "weaker-condition": "A condition (TLS, MFA, a source) that limited this right is weaker or gone.",
    "weaker-denial": "Something that was denied is now allowed, or denied in fewer cases.",
    "new-trust": "Another principal may assume this role.",
    "new-member": "A member of a group has all rights of the group.",
    "new-user": "A user can have access keys and a password, and someone must maintain it.",
    "new-access-key": "An access key is a long-lived secret that works from anywhere until it is deleted.",
    "console-access": "A password opens the AWS console.",
    "exposed-secret": "Anyone who may read the stack, its outputs or its parameters could read the secret.",
    "data-loss": "Messages are lost, or can be lost more easily than before.",
    "less-protection": "Encryption, logging or another safeguard is weaker or gone.",
    "unknown-effect": "The templates do not show what this creates or allows: someone must check.",
    "new-acknowledgment": "A security rule no longer applies here. Is the reason good?",
}
"""The kinds of findings, and why each needs a decision."""

ABSENT = "none"


@dataclass(frozen=True)
class Finding:
    """A change that needs a decision.

    Attributes:
        kind: a key of `WHY`.
        what: identifies the finding among others of its kind. It is stable, since acceptances refer to it.
        stack: the stack that changes.
        resource: the resource's logical id, or a section of the template.
        attribute: the property, or "".
        before: the value before the change.
        after: the value after the change.
        witness: one request that is allowed now and was not before, as a sentence; or "".
        action: its action, or "".
        on: its resource, or "".
    """

    kind: str
    what: str
    stack: str
    resource: str
    attribute: str
    before: str
    after: str
    witness: str = field(default="", compare=False)
    action: str = field(default="", compare=False)
    on: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.what}"


@dataclass(frozen=True)
class Note:
    """A change that is harmless as far as the templates show."""

    stack: str
    text: str


def shown(value: Any, longest: int = 300) -> str:
    """The value as text of at most ``longest`` characters."""
    text = ABSENT if value in (None, "", {}) else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

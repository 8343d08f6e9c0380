"""What a review tells: findings that need a person's decision, and notes on all the rest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

WHY = {
    "wider-rights": "Somebody may do what they could not do before.",
    "weaker-condition": "What was bound to a condition (TLS, MFA, a source) is less bound, or not at all.",
    "weaker-denial": "Something that was forbidden no longer is, or only in fewer cases.",
    "new-trust": "Somebody else may act as this role.",
    "new-member": "A member of a group has all rights of the group.",
    "new-user": "Another identity that can be given keys and a password, and that somebody must look after.",
    "new-access-key": "A long-lived secret that works from anywhere until it is deleted.",
    "console-access": "A password opens the AWS console.",
    "exposed-secret": "A secret could be read by whoever may read the stack, its outputs or its parameters.",
    "data-loss": "Messages would be lost, or more easily lost than before.",
    "less-protection": "Encryption, logging or another safeguard is weaker or gone.",
    "unseen": "What this makes or allows cannot be told from the templates: somebody must look.",
    "new-acknowledgment": "A security rule no longer applies here. Is the reason good?",
}
"""The kinds of findings that need a decision, and why each of them does."""

NOT_THERE = "nothing"


@dataclass(frozen=True)
class Finding:
    """Something that needs a decision.

    ``what`` tells it from others of its kind, and stays the same as long as the change does: people accept by it.
    """

    kind: str
    what: str
    stack: str
    resource: str
    attribute: str
    before: str
    after: str

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.what}"


@dataclass(frozen=True)
class Note:
    """A change that is harmless as far as can be told from the templates."""

    stack: str
    text: str


def shown(value: Any, longest: int = 300) -> str:
    text = NOT_THERE if value in (None, "", {}) else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

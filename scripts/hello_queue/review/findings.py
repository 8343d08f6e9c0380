"""The results of a review: findings, which need a decision, and notes, which do not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from hello_queue.review.masking import masked
from hello_queue.review.naming import in_words_of
from hello_queue.review.rights.decision import Request

WHY = {
    "stale-golden": "Whoever reads tests/golden reads something else than what is deployed: run make golden.",
    "failed-validation": "The app fails, and so would a deployment: correct it, or acknowledge it with its reason.",
    "weaker-review": "This decides what is run, reported or asked before a deployment.",
    "silenced-rule": "cdk-nag finds this, but the app hides it: acknowledge it with its reason, or correct it.",
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
    "data-loss": "Messages or other data are lost, or can be lost more easily than before.",
    "less-protection": "Encryption, logging, an alarm or another safeguard is weaker or gone.",
    "new-code": "Code that runs in AWS with the rights of its role is different: the details have its difference.",
    "deployed-elsewhere": "This decides where, by which role and under which name the templates are deployed.",
    "unknown-effect": "The templates do not show what this creates or allows: someone must check.",
    "unlisted-change": "No rule says that this is harmless: someone must check.",
    "new-acknowledgment": "A security rule no longer applies here. Is the reason good?",
}
"""The kinds of findings, and why each needs a decision."""

NOT_ACCEPTABLE = ("stale-golden", "failed-validation")
"""The kinds that go away only if their cause does."""

ABSENT = "none"

_OUR_ARN = re.compile(r"arn:\$\{AWS::Partition\}:([a-z0-9-]+):(?:\$\{AWS::Region\})?:\$\{AWS::AccountId\}:")
_TYPED = re.compile(r"\$\{(AWS|Custom)::([\w:]+) ([^{}]+)\}")


@dataclass(frozen=True)
class Finding:
    """A change that needs a decision.

    Attributes:
        kind: a key of `WHY`.
        what: identifies the finding among others of its kind. It is stable, since acceptances refer to it.
        stack: the stack, or the file or asset that changed.
        resource: the resource's logical id, or a section of the template.
        attribute: the property; may be empty, as all that follow.
        before: the state before the change.
        after: the state after it.
        witness: one request that is allowed now and was not before, as a sentence.
        who: whose request it is, such as ``user ada``.
        request: that request, as the policies have it.
    """

    kind: str
    what: str
    stack: str
    resource: str
    attribute: str
    before: str
    after: str
    witness: str = field(default="", compare=False)
    who: str = field(default="", compare=False)
    request: Request | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.what}"

    def in_words_of(self, names: Mapping[str, str]) -> Finding:
        """The same finding with these names replaced: those of one variant by those of another."""
        values = {each.name: getattr(self, each.name) for each in fields(self)[1:]}
        texts: dict[str, Any] = {key: in_words_of(one, names) for key, one in values.items() if isinstance(one, str)}
        return replace(self, **texts)


@dataclass(frozen=True)
class Note:
    """A change that is harmless as far as the templates show."""

    stack: str
    text: str


def shown(value: Any, longest: int = 300) -> str:
    """The value as text of at most ``longest`` characters."""
    text = ABSENT if value in (None, "", {}) else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def short(text: str) -> str:
    """The text as findings are shown and accepted: ARNs of this account as ``sqs:test``, and secrets masked."""
    return _TYPED.sub(r"\3", _OUR_ARN.sub(r"\1:", masked(text)))

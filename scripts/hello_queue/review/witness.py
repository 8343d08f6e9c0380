"""A request that shows what is new, as a sentence."""

from __future__ import annotations

import re

from hello_queue.review.right import named
from hello_queue.review.rights.decision import Request

_OURS = re.compile(r"arn:[^:]+:[^:]+:(?:\$\{AWS::Region\})?:\$\{AWS::AccountId\}:(?:[a-z-]+/)?([^*?]+)")

_WORDS = ("any", "account ", "this account", "whoever ", "role ", "group ", "service ", "federated ", "user ")


def witness(who: str, request: Request | None) -> str:
    """The request as a sentence; if there is none, that the policies could not be compared."""
    subject = _subject(who)
    if request is None:
        return _sentence(f"{subject} may be able to do more than before: the policies could not be compared exactly")
    kind, _, rest = request.action.partition(":")
    if kind in ("managed-policy", "unreadable"):
        what = f"do whatever {rest} allows" if kind == "managed-policy" else "do whatever is decided at deploy time"
        return _sentence(f"{subject} could now {what}")
    ours = _OURS.fullmatch(request.resource)
    resource = "" if request.resource == "*" else f" on {ours[1] if ours else request.resource}"
    terms = []
    for key, values in request.context.items():
        if key.lower() == "aws:securetransport" and values == ("true",):
            continue  # as all requests should be
        terms.append(f"without {key}" if values is None else f"with {key} {' and '.join(values)}")
    terms += [f"if this holds: {text}" for text in request.unknown]
    return _sentence(", ".join([f"{subject} could now call {request.action}{resource}", *terms]))


def _subject(who: str) -> str:
    return named(who) if "," in who else named(who).removeprefix("user ")


def _sentence(text: str) -> str:
    """Begins with a capital letter, unless with a name."""
    return text[0].upper() + text[1:] if text.startswith(_WORDS) else text

"""Masks literal secrets in what a review reads, so that nothing can print them. They can still be compared."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

MASK = "(masked{})"
IS_MASKED = re.compile(r"\(masked(?: \d+)?\)")

_WORD = r"(?:pass(?:word|wd|phrase)|secret|token|credential|(?:private|api|access)_?key)"
_SECRET_NAME = re.compile(_WORD, re.IGNORECASE)
_OTHER_NAME = re.compile(r":|(?:ids?|arns?|names?|types?|stages?|templates?|versions?|urls?)$", re.IGNORECASE)
"""Such as SecretId, or a condition key like aws:TokenIssueTime."""

_REFERENCE = r"\$\{|\{\{resolve:|arn:|\(masked"
_NO_VALUE = rf"""(?!{_REFERENCE}|\$\(|(?:true|false)\\*["'])"""
_KEY = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\b(?:gh[opusr]|xox[abp]|sk|github_pat)[_-][\w-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\s+\\n-]*[A-Za-z0-9+/=]{16,})*"
)
"""What keys look like, wherever they stand."""

_ACCESS_KEY = re.compile(r"(?<![\w/+])[A-Za-z0-9/+]{40}(?![\w/+=])")
# Names and URLs are limited, so that no text of a stranger takes longer than its length.
_ASSIGNED = re.compile(
    rf"""({_WORD}\w{{0,60}}\\*["']?\s{{0,9}}[:=]\s{{0,9}}\\*["']){_NO_VALUE}([^"'\\\s]{{3,}})(?=\\*["'])""",
    re.IGNORECASE,
)
_IN_URL = re.compile(rf"""(://[^\s/:@]{{0,60}}:){_NO_VALUE}([^"'\\\s/:@]{{1,200}})(?=@)""")
_EXPORTED = re.compile(rf"(\b[A-Z0-9_]{{0,60}}{_WORD.upper()}[A-Z0-9_]{{0,60}}=){_NO_VALUE}([^\s\"']+)")
"""A variable as a shell or an .env file sets it."""


def masked(text: str, mask: Callable[[str], str] = lambda secret: MASK.format("")) -> str:
    """The text without what looks like a key, and without what is assigned to a password or the like."""
    text = _KEY.sub(lambda found: mask(found[0]), text)
    text = _ACCESS_KEY.sub(lambda found: mask(found[0]) if _is_random(found[0]) else found[0], text)
    for assigned in (_ASSIGNED, _IN_URL, _EXPORTED):
        text = assigned.sub(lambda found: found[1] + mask(found[2]), text)
    return text


class Mask:
    """Replaces literal secrets in templates by numbers: the same number is the same secret."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: dict[tuple[str, str], str] = {}

    def __call__(self, value: Any, name: str = "") -> Any:
        """The value of the property ``name``, without literal secrets."""
        if isinstance(value, str):
            if (value, name) not in self._texts:
                self._texts[value, name] = self._text(value, name)
            return self._texts[value, name]
        if isinstance(value, list):
            return [self(each, name) for each in value]
        if not isinstance(value, Mapping):
            return value
        joined = value.get("Fn::Join")
        if isinstance(joined, list) and joined and isinstance(joined[-1], list):
            if all(isinstance(each, str) for each in (joined[0], *joined[-1])):
                whole = joined[0].join(joined[-1])
                return value if self(whole, name) == whole else self(whole, name)
            name = ""
        return {key: self(each, self._name(value, key, name)) for key, each in value.items()}

    def _text(self, value: str, name: str) -> str:
        is_secret = _SECRET_NAME.search(name) and not _OTHER_NAME.search(name)
        literal = is_secret and value not in ("", "true", "false") and not re.search(_REFERENCE, value)
        # What already looks masked gets a number of its own.
        return self._number(value) if literal or IS_MASKED.search(value) else masked(value, self._number)

    def _name(self, value: Mapping[str, Any], key: str, name: str) -> str:
        """The name that says what a value in a mapping is: its own, that of a tag or variable, or an output's."""
        if key == "Value":
            return str(value.get("Key", value.get("Name", name)))
        if key == "Default":
            return "Secret" if str(value.get("NoEcho")).lower() == "true" else name
        return name if key.startswith("Fn::") and key != "Fn::GetAtt" else key

    def _number(self, secret: str) -> str:
        return MASK.format(f" {self._numbers.setdefault(secret, len(self._numbers) + 1)}")


def _is_random(text: str) -> bool:
    """Whether 40 characters are those of a secret access key, and not a path or a name, which have words."""
    kinds = "".join("A" if each.isupper() else "a" if each.islower() else "0" for each in text)
    changes = sum(one != other for one, other in itertools.pairwise(kinds))
    return {"A", "a", "0"} == {*kinds} and (changes > 16 or "aaaaa" not in kinds)

"""A review as text for a terminal and as Markdown for a pull request.

The author of a change chooses names, descriptions, code and reasons. `_written` escapes them, and nothing else does, so
that they cannot drive a terminal or imitate a line of the report. It masks literal secrets in them, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hello_queue.cli.terminal import in_markdown, printable
from hello_queue.review.changes import Change
from hello_queue.review.findings import NOT_ACCEPTABLE, WHY, Finding, Note, short
from hello_queue.review.masking import masked

_TEXT = {
    "verdict": "Compared with {} in {}: {}",
    "scope": "Looked at {}",
    "decide": "DECIDE  {}: {}",
    "accepted": "ACCEPTED  {}: {}",
    "fact": "  {:<7}  {}",
    "heading": "\n{}:",
    "accept": "To accept one, add it to tests/golden/accepted.yaml in this change, with a reason:",
    "entry": "  - finding: {}\n    reason: ...",
    "note": "  {}  {}",
    "variant": "  with {}:",
    "note of a variant": "    {}  {}",
    "details": "\nDetails of {}:",
    "code": "  {}",  # indented, so that a line of a template is not taken for one of the report's
}
_MARKDOWN = {
    "verdict": "## What changes in AWS: {2}\n\nCompared with {0} in {1}.",
    "scope": "Looked at {}.",
    "decide": "\n- **{}**: {}",
    "accepted": "\n- **{}**: {}",
    "fact": "  - {}: {}",
    "heading": "\n### {}\n",
    "accept": "\nTo accept one, add it to tests/golden/accepted.yaml in this change, with a reason:\n\n{fence}yaml",
    "entry": "- finding: {}\n  reason: ...",
    "another entry": "- finding: {}\n  reason: ...",
    "note": "- {}: {}",
    "variant": "- with {}:",
    "note of a variant": "  - {}: {}",
    "details": "\n<details><summary>Details of {}</summary>\n\n{fence}",
    "code": "{}",
    "end of code": "{fence}",
    "end of details": "</details>",
}


@dataclass(frozen=True)
class Review:
    """What a change does.

    Attributes:
        base: the commit it was compared with.
        open: findings that need a decision, each with the variants that have it.
        accepted: findings that this change accepts, each with its reason.
        notes: every change with the default settings.
        other_notes: the further changes of each other variant.
        details: the output of `cdk diff`, and differences of code, by a title.
        variants: the variants that were compared.
        changes: what happens to each resource with the default settings.
    """

    base: str
    open: Mapping[Finding, list[str]]
    accepted: Mapping[Finding, str]
    notes: list[Note]
    other_notes: Mapping[str, list[Note]]
    details: Mapping[str, str]
    variants: list[str]
    changes: Sequence[Change] = ()

    @property
    def verdict(self) -> str:
        if self.open:
            count = len(self.open)
            return f"{count} {'finding needs' if count == 1 else 'findings need'} a decision"
        if self.accepted:
            return "every finding is accepted"
        return "nothing needs a decision" if self.notes or self.other_notes else "nothing changes in AWS"


def as_text(review: Review) -> str:
    """The review for a terminal: the verdict and its reasons first, then the details."""
    return _written(review, _TEXT, printable)


def as_markdown(review: Review) -> str:
    """The review for a pull request."""
    return _written(review, _MARKDOWN, in_markdown)


def failure_as_markdown(reason: str) -> str:
    """What takes the place of a review that could not be made, so that an older one does not stay."""
    return f"## What changes in AWS: nobody knows\n\nThe review failed: {in_markdown(masked(reason))}\n"


def _written(review: Review, look: Mapping[str, str], escape: Callable[[str], str]) -> str:
    lines = list(_lines(review))
    # Longer than any run of backticks in it.
    fence = "`" * max([3, *(len(run) + 1 for _, *parts in lines for part in parts for run in re.findall("`+", part))])
    safe: Mapping[str, Callable[[str], str]] = {"entry": _quoted, "another entry": _quoted, "code": printable}
    return "".join(
        look[kind].format(*(safe.get(kind, escape)(part) for part in parts), fence=fence) + "\n"
        for kind, *parts in lines
        if kind in look
    )


def _lines(review: Review) -> Iterator[tuple[str, ...]]:
    """Each line of the report: what it is, and its parts."""
    count = len(review.variants)
    yield "verdict", review.base, f"{count} variant{'s' * (count != 1)} of the settings", review.verdict
    if not review.open:
        yield "scope", ", ".join(review.variants)
    for finding, where in review.open.items():
        yield "decide", finding.kind, short(finding.what)
        yield from (("fact", name, short(value)) for name, value in _facts(finding, where) if value)
    entries = [short(finding.id) for finding in review.open if finding.kind not in NOT_ACCEPTABLE]
    if entries:
        yield ("accept",)
        first, *others = entries
        yield "entry", first
        yield from (("another entry", id_) for id_ in others)
        yield ("end of code",)
    for finding, reason in review.accepted.items():
        yield "accepted", finding.kind, short(finding.what)
        facts = ("before", finding.before), ("after", finding.after), ("reason", reason)
        yield from (("fact", name, short(value)) for name, value in facts)
    if review.notes or review.other_notes:
        yield "heading", "All changes"
    yield from (("note", note.stack, short(note.text)) for note in review.notes)
    for variant, notes in review.other_notes.items():
        yield "variant", variant
        yield from (("note of a variant", note.stack, short(note.text)) for note in notes)
    for title, detail in review.details.items():
        yield "details", masked(title)
        yield from (("code", line) for line in masked(detail).rstrip().split("\n"))
        yield ("end of code",)
        yield ("end of details",)


def _facts(finding: Finding, variants: list[str]) -> Iterator[tuple[str, str]]:
    yield "before", finding.before
    yield "after", finding.after
    yield "example", finding.witness
    place = ", ".join(part for part in (finding.stack, finding.resource, finding.attribute) if part)
    others = f" and {len(variants) - 1} more" if len(variants) > 1 else ""
    yield "why", f"{WHY[finding.kind]} ({place}{'' if 'default' in variants else f'; with {variants[0]}{others}'})"


def _quoted(text: str) -> str:
    """The text as a YAML string on one line."""
    return "'" + text.replace("'", "''") + "'" if text.isprintable() else json.dumps(text)

"""A review as text for a terminal and as Markdown for a pull request.

The author of a change chooses names, descriptions and reasons: `printable` escapes them, so that they cannot drive a
terminal or imitate a line of the report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hello_queue.cli.terminal import printable
from hello_queue.review.findings import WHY, Finding, Note


@dataclass(frozen=True)
class Review:
    """What a change does.

    Attributes:
        base: the commit it was compared with.
        open: findings that need a decision, each with the first variant that has it.
        accepted: findings that this change accepts, each with its reason.
        notes: every change with the default settings.
        other_notes: the further changes of each other variant.
        details: the output of `cdk diff` for each stack that changes with the default settings.
    """

    base: str
    open: Mapping[Finding, str]
    accepted: Mapping[Finding, str]
    notes: list[Note]
    other_notes: Mapping[str, list[Note]]
    details: Mapping[str, str]

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
    return "\n".join(_text(review)) + "\n"


def _text(review: Review) -> Iterator[str]:
    yield f"Compared with {review.base}: {review.verdict}"
    for finding, variant in review.open.items():
        yield ""
        yield f"DECIDE  {printable(finding.id)}"
        for name, value in _facts(finding, variant):
            yield f"        {name + ':':<8} {value}"
    if review.open:
        yield ""
        yield "To accept one, add it to tests/golden/accepted.yaml in this change, with a reason:"
        first = next(iter(review.open))
        yield f"  - finding: {_quoted(first.id)}"
        yield "    reason: ..."
    for finding, reason in review.accepted.items():
        yield ""
        yield f"ACCEPTED  {printable(finding.id)}"
        yield f"          reason: {printable(reason)}"
    if review.notes or review.other_notes:
        yield ""
        yield "All changes:"
    for note in review.notes:
        yield f"  {_line(note)}"
    for variant, notes in review.other_notes.items():
        yield f"  with {variant}:"
        for note in notes:
            yield f"    {_line(note)}"
    for stack, detail in review.details.items():
        yield ""
        yield f"Details of {printable(stack)}, by `cdk diff`:"
        # Indented, so that a line of a template is not taken for one of the report's.
        yield from (f"  {printable(line)}" for line in detail.rstrip().split("\n"))


def _line(note: Note) -> str:
    return f"{printable(note.stack)}  {printable(note.text)}"


def as_markdown(review: Review) -> str:
    """The review for a pull request."""
    return "\n".join(_markdown(review)) + "\n"


def _markdown(review: Review) -> Iterator[str]:
    yield f"## What changes in AWS: {review.verdict}"
    yield ""
    yield f"Compared with `{review.base}`."
    if review.open:
        yield ""
        yield "### To decide"
        for finding, variant in review.open.items():
            yield ""
            yield f"- **{finding.kind}**: {_escaped(finding.what)}"
            for name, value in _facts(finding, variant):
                yield f"  - {name}: {_escaped(value)}"
        yield ""
        yield "To accept one, add it to `tests/golden/accepted.yaml` in this change, with a reason:"
        yield ""
        entries = [f"- finding: {_quoted(finding.id)}\n  reason: ..." for finding in review.open]
        fence = _fence("\n".join(entries))
        yield f"{fence}yaml"
        yield from entries
        yield fence
    if review.accepted:
        yield ""
        yield "### Accepted in this change"
        yield ""
        for finding, reason in review.accepted.items():
            yield f"- **{finding.kind}**: {_escaped(finding.what)}. Reason: {_escaped(reason)}"
    if review.notes or review.other_notes:
        yield ""
        yield "### All changes"
        yield ""
        for note in review.notes:
            yield f"- {_escaped(note.stack)}: {_escaped(note.text)}"
        for variant, notes in review.other_notes.items():
            yield f"- with `{variant}`:"
            for note in notes:
                yield f"  - {_escaped(note.stack)}: {_escaped(note.text)}"
    for stack, detail in review.details.items():
        fence = _fence(detail)
        yield ""
        yield f"<details><summary>Details of {_escaped(stack)}, by <code>cdk diff</code></summary>"
        yield ""
        yield fence
        yield from map(printable, detail.rstrip().split("\n"))
        yield fence
        yield "</details>"


def _facts(finding: Finding, variant: str) -> Iterator[tuple[str, str]]:
    where = ", ".join(part for part in (finding.stack, finding.resource, finding.attribute) if part)
    yield "where", printable(where) + ("" if variant == "default" else f" (with {variant})")
    yield "before", printable(finding.before)
    yield "after", printable(finding.after)
    if finding.witness:
        yield "example", printable(finding.witness)
    yield "why", WHY[finding.kind]


def _fence(text: str) -> str:
    """A code fence that is longer than any run of backticks in the text."""
    return "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])


def _quoted(text: str) -> str:
    """The text as a YAML string on one line."""
    return "'" + text.replace("'", "''") + "'" if text.isprintable() else json.dumps(text)


def _escaped(text: str) -> str:
    """The text with Markdown and HTML escaped."""
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{character}" if character in r"\`*_[]()#@!|~" else character for character in escaped)

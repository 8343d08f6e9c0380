"""A review as text for a terminal, and as Markdown for a pull request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hello_queue.review.findings import WHY, Finding, Note


@dataclass(frozen=True)
class Review:
    """What is to be told about a change.

    Attributes:
        base: what it was compared with.
        open: findings that need a decision, by the variant in which each comes up first.
        accepted: findings that were accepted in this change, with the reason for each.
        notes: all that changes with the default settings, a line each.
        other_notes: the same for each further variant, where it is more than that.
        details: `cdk diff` of each stack that changes with the default settings.
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
            return "nothing is left to decide"
        return "nothing needs a decision" if self.notes or self.other_notes else "nothing changes in AWS"


def as_text(review: Review) -> str:
    """The review for a terminal: the verdict and what it rests on first, then the details."""
    return "\n".join(_text(review)) + "\n"


def _text(review: Review) -> Iterator[str]:
    yield f"Compared with {review.base}: {review.verdict}"
    for finding, variant in review.open.items():
        yield ""
        yield f"DECIDE  {_on_one_line(finding.id)}"
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
        yield f"ACCEPTED  {finding.id}"
        yield f"          reason: {reason}"
    if review.notes or review.other_notes:
        yield ""
        yield "All changes:"
    for note in review.notes:
        yield f"  {note.stack}  {note.text}"
    for variant, notes in review.other_notes.items():
        yield f"  with {variant}:"
        for note in notes:
            yield f"    {note.stack}  {note.text}"
    for stack, detail in review.details.items():
        yield ""
        yield f"Details of {stack}, by `cdk diff`:"
        yield detail.rstrip()


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
            yield f"- {note.stack}: {_escaped(note.text)}"
        for variant, notes in review.other_notes.items():
            yield f"- with `{variant}`:"
            for note in notes:
                yield f"  - {note.stack}: {_escaped(note.text)}"
    for stack, detail in review.details.items():
        # Longer than any run of backticks within, so that nothing in a template ends it.
        fence = _fence(detail)
        yield ""
        yield f"<details><summary>Details of {stack}, by <code>cdk diff</code></summary>"
        yield ""
        yield fence
        yield detail.rstrip()
        yield fence
        yield "</details>"


def _facts(finding: Finding, variant: str) -> Iterator[tuple[str, str]]:
    where = f"{finding.stack}, {finding.resource}" + (f", {finding.attribute}" if finding.attribute else "")
    yield "where", where + ("" if variant == "default" else f" (with {variant})")
    yield "before", _on_one_line(finding.before)
    yield "after", _on_one_line(finding.after)
    yield "why", WHY[finding.kind]


def _fence(text: str) -> str:
    """A fence that nothing in the text ends."""
    return "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])


def _quoted(text: str) -> str:
    """The text for YAML, on one line."""
    return "'" + text.replace("'", "''") + "'" if text.isprintable() else json.dumps(text)


def _on_one_line(text: str) -> str:
    """The text with control characters and line ends spelled out: its author must not write the report."""
    return text if text.isprintable() else json.dumps(text)


def _escaped(text: str) -> str:
    """Text of a change, which its author chose, so that it is only text in Markdown and in HTML."""
    escaped = _on_one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{character}" if character in r"\`*_[]()#@!|~" else character for character in escaped)

"""A review as text for a terminal and as Markdown for a pull request.

The author of a change chooses names, descriptions, code and reasons. `printable` and `in_markdown` escape them, here
and nowhere else, so that they cannot drive a terminal or imitate a line of the report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hello_queue.cli.terminal import in_markdown, printable
from hello_queue.review.changes import Change
from hello_queue.review.findings import WHY, Finding, Note, short

_ACCEPT = "To accept one, add it to tests/golden/accepted.yaml in this change, with a reason:"


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

    @property
    def scope(self) -> str:
        return f"{len(self.variants)} variants of the settings: {', '.join(self.variants)}"


def as_text(review: Review) -> str:
    """The review for a terminal: the verdict and its reasons first, then the details."""
    return "\n".join(_text(review)) + "\n"


def _text(review: Review) -> Iterator[str]:
    yield f"Compared with {printable(review.base)}: {review.verdict}"
    yield f"Looked at {printable(review.scope)}"
    for finding, variants in review.open.items():
        yield f"DECIDE  {printable(short(finding.id))}"
        for name, value in _facts(finding, variants):
            yield f"  {name:<6}  {printable(value)}"
    if review.open:
        yield _ACCEPT
        yield f"  - finding: {_quoted(short(next(iter(review.open)).id))}"
        yield "    reason: ..."
    for finding, reason in review.accepted.items():
        yield f"ACCEPTED  {printable(short(finding.id))}"
        yield f"  before  {printable(short(finding.before))}"
        yield f"  after   {printable(short(finding.after))}"
        yield f"  reason  {printable(reason)}"
    if review.notes or review.other_notes:
        yield ""
        yield "All changes:"
    for note in review.notes:
        yield f"  {printable(note.stack)}  {printable(short(note.text))}"
    for variant, notes in review.other_notes.items():
        yield f"  with {printable(variant)}:"
        for note in notes:
            yield f"    {printable(note.stack)}  {printable(short(note.text))}"
    for title, detail in review.details.items():
        yield ""
        yield f"Details of {printable(title)}:"
        # Indented, so that a line of a template is not taken for one of the report's.
        yield from (f"  {printable(line)}" for line in detail.rstrip().split("\n"))


def as_markdown(review: Review) -> str:
    """The review for a pull request."""
    return "\n".join(_markdown_lines(review)) + "\n"


def failure_as_markdown(reason: str) -> str:
    """What takes the place of a review that could not be made, so that an older one does not stay."""
    return f"## What changes in AWS: nobody knows\n\nThe review failed: {in_markdown(reason)}\n"


def _markdown_lines(review: Review) -> Iterator[str]:
    yield f"## What changes in AWS: {review.verdict}"
    yield ""
    yield f"Compared with {in_markdown(review.base)}, in {in_markdown(review.scope)}."
    if review.open:
        yield from ("", "### To decide")
        for finding, variants in review.open.items():
            yield ""
            yield f"- **{finding.kind}**: {in_markdown(short(finding.what))}"
            for name, value in _facts(finding, variants):
                yield f"  - {name}: {in_markdown(value)}"
        yield from ("", _ACCEPT, "")
        yield from _fenced(
            "yaml", [f"- finding: {_quoted(short(finding.id))}\n  reason: ..." for finding in review.open]
        )
    if review.accepted:
        yield from ("", "### Accepted in this change", "")
        for finding, reason in review.accepted.items():
            yield f"- **{finding.kind}**: {in_markdown(short(finding.what))}"
            yield f"  - before: {in_markdown(short(finding.before))}"
            yield f"  - after: {in_markdown(short(finding.after))}"
            yield f"  - reason: {in_markdown(reason)}"
    if review.notes or review.other_notes:
        yield from ("", "### All changes", "")
        for note in review.notes:
            yield f"- {in_markdown(note.stack)}: {in_markdown(short(note.text))}"
        for variant, notes in review.other_notes.items():
            yield f"- with {in_markdown(variant)}:"
            for note in notes:
                yield f"  - {in_markdown(note.stack)}: {in_markdown(short(note.text))}"
    for title, detail in review.details.items():
        yield from ("", f"<details><summary>Details of {in_markdown(title)}</summary>", "")
        yield from _fenced("", [printable(line) for line in detail.rstrip().split("\n")])
        yield "</details>"


def _facts(finding: Finding, variants: list[str]) -> Iterator[tuple[str, str]]:
    yield "before", short(finding.before)
    yield "after", short(finding.after)
    if finding.witness:
        yield "example", short(finding.witness)
    where = ", ".join(part for part in (finding.stack, finding.resource, finding.attribute) if part)
    others = len(variants) - 1
    with_ = "" if "default" in variants else f"; with {variants[0]}" + (f" and {others} more" if others else "")
    yield "why", f"{WHY[finding.kind]} ({where}{with_})"


def _fenced(language: str, lines: list[str]) -> Iterator[str]:
    """A block of code, in a fence that is longer than any run of backticks in it."""
    fence = "`" * max([3, *(len(run) + 1 for line in lines for run in re.findall("`+", line))])
    yield from (f"{fence}{language}", *lines, fence)


def _quoted(text: str) -> str:
    """The text as a YAML string on one line."""
    return "'" + text.replace("'", "''") + "'" if text.isprintable() else json.dumps(text)

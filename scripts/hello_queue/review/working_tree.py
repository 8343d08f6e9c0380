"""Reviews a working tree: what it changes against a base, with the findings that the change accepts set apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hello_queue.project import ROOT
from hello_queue.review.acceptances import accepted_since
from hello_queue.review.base import Base, read_base
from hello_queue.review.comparison import compare, compare_acknowledgments
from hello_queue.review.details import details
from hello_queue.review.findings import Finding, Note
from hello_queue.review.report import Review
from hello_queue.review.synthesis import DEFAULT, Synthesis, acknowledgments, synthesize


def review_working_tree(base_name: str, root: Path = ROOT) -> Review:
    """Compare what a working tree synthesizes with the golden templates of a commit.

    Args:
        base_name: the commit to compare with: its merge base with HEAD.
        root: the working tree.

    Raises:
        UsageError: the base or the acceptances cannot be read.
        HelloQueueError: the working tree cannot be synthesized.
    """
    base = read_base(base_name, root)
    accepted = accepted_since(base, root)
    return review(base, synthesize(root=root), accepted)


def review(base: Base, now: Mapping[str, Synthesis], accepted: Mapping[str, str]) -> Review:
    """Compare each variant. A finding is reported once, with the first variant that has it.

    Args:
        base: what to compare with.
        now: what the working tree synthesizes, by variant.
        accepted: the reasons for accepting findings, by the findings' ids.
    """
    # A variant without golden files is the same as the default.
    pairs = [
        (base.variants.get(variant, base.variants[DEFAULT]), synthesis.templates) for variant, synthesis in now.items()
    ]
    findings: dict[Finding, str] = {}
    notes: dict[str, list[Note]] = {}
    for variant, (found, notes_here) in zip(now, compare(pairs), strict=True):
        notes[variant] = notes_here
        for finding in found:
            findings.setdefault(finding, variant)
    found, more_notes = compare_acknowledgments(base.acknowledgments, acknowledgments(now))
    findings.update(dict.fromkeys(found, DEFAULT))
    default_notes = [*notes.pop(DEFAULT), *more_notes]
    other_notes = {
        variant: others
        for variant, notes_here in notes.items()
        if (others := [note for note in notes_here if note not in default_notes])
    }
    return Review(
        base.commit,
        {finding: variant for finding, variant in findings.items() if finding.id not in accepted},
        {finding: accepted[finding.id] for finding in findings if finding.id in accepted},
        default_notes,
        other_notes,
        details(base.variants[DEFAULT], now[DEFAULT].templates),
    )

"""Compares templates: which changes need a decision, and which are harmless."""

from __future__ import annotations

from collections.abc import Sequence

from hello_queue.review.assembly import Templates
from hello_queue.review.changes import Pair, described, pairs_of, section_notes
from hello_queue.review.findings import Finding, Note
from hello_queue.review.rules_of_resources import lifecycles, properties, sections, tags
from hello_queue.review.rules_of_rights import identities, memberships, narrower_rights, wider_rights
from hello_queue.review.rules_of_secrets import exposed_secrets

Comparison = tuple[list[Finding], list[Note]]
"""What needs a decision, and every change in one line."""


def compare(states: Sequence[tuple[Templates, Templates]]) -> list[Comparison]:
    """Compare each two states of the templates, before and after."""
    return [compare_pair(pair) for pair in pairs_of(states)]


def compare_pair(pair: Pair) -> Comparison:
    """Apply the rules to two states whose resources are matched."""
    before, after, changes = pair.before, pair.after, pair.changes
    findings = [
        *wider_rights(before, after, changes),
        *memberships(before, after),
        *(finding for change in changes for finding in identities(change)),
        *exposed_secrets(before, after),
        *(finding for change in changes for finding in lifecycles(change)),
        *(finding for change in changes for finding in properties(change)),
        *(finding for change in changes for finding in tags(change, pair.tested_tags)),
        *sections(before, after),
    ]
    notes = [Note(change.stack, described(change)) for change in changes]
    notes += narrower_rights(before, after)
    for stack in sorted({*before, *after}):
        old, new = before.get(stack, {}), after.get(stack, {})
        for section in sorted({*old, *new} - {"Resources"}):
            notes += section_notes(stack, section, old.get(section, {}), new.get(section, {}))
    return list(dict.fromkeys(findings)), list(dict.fromkeys(notes))

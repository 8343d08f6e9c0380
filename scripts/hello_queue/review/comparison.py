"""Compares templates: which changes need a decision, and which are harmless."""

from __future__ import annotations

from collections.abc import Sequence

from hello_queue.review.changes import Change, all_changes, described, section_notes
from hello_queue.review.findings import ABSENT, Finding, Note
from hello_queue.review.rules_of_resources import data_loss, deciding_sections, less_protection, unknown_effects
from hello_queue.review.rules_of_rights import identities, memberships, wider_rights
from hello_queue.review.rules_of_secrets import exposed_secrets
from hello_queue.review.synthesis import Templates

Comparison = tuple[list[Finding], list[Note]]
"""What needs a decision, and every change in one line."""


def compare(pairs: Sequence[tuple[Templates, Templates]]) -> list[Comparison]:
    """Compare each pair of templates, before and after."""
    return [
        _compare(before, after, changes) for (before, after), changes in zip(pairs, all_changes(pairs), strict=True)
    ]


def _compare(before: Templates, after: Templates, changes: list[Change]) -> Comparison:
    findings = [
        *wider_rights(before, after, changes),
        *memberships(before, after),
        *(finding for change in changes for finding in identities(change)),
        *exposed_secrets(before, after),
        *(finding for change in changes for finding in data_loss(change)),
        *(finding for change in changes for finding in less_protection(change)),
        *(finding for change in changes for finding in unknown_effects(change)),
        *deciding_sections(before, after),
    ]
    notes = [Note(change.stack, described(change)) for change in changes]
    for stack in sorted({*before, *after}):
        old, new = before.get(stack, {}), after.get(stack, {})
        for section in sorted({*old, *new} - {"Resources"}):
            notes += section_notes(stack, section, old.get(section, {}), new.get(section, {}))
    return list(dict.fromkeys(findings)), notes


def compare_acknowledgments(before: list[dict[str, str]], after: list[dict[str, str]]) -> Comparison:
    """Find the acknowledged cdk-nag findings that are new, that are gone, or whose reason changed."""

    def keyed(entries: list[dict[str, str]]) -> dict[tuple[str, str], str]:
        return {(each["where"], each["finding"]): each["reason"] for each in entries}

    old, new = keyed(before), keyed(after)
    findings, notes = [], []
    for (where, rule), reason in new.items():
        stack, _, resource = where.partition("/")
        if (where, rule) not in old:
            what = f"{rule} on {where}"
            findings.append(Finding("new-acknowledgment", what, stack, resource, rule, ABSENT, reason))
        elif old[where, rule] != reason:
            notes.append(Note(stack, f"the reason for acknowledging {rule} on {resource} changed: {reason}"))
    notes += [
        Note(where.partition("/")[0], f"{rule} on {where} is no longer acknowledged")
        for where, rule in old.keys() - new
    ]
    return findings, notes

"""Compare what there was with what there is: what needs a decision, and what is harmless."""

from __future__ import annotations

from hello_queue.review.changes import changes_of, described, section_notes
from hello_queue.review.findings import NOT_THERE, Finding, Note
from hello_queue.review.rules_of_resources import data_loss, deciding_sections, less_protection, unseen
from hello_queue.review.rules_of_rights import identities, memberships, wider_rights
from hello_queue.review.rules_of_secrets import exposed_secrets
from hello_queue.review.synthesis import Templates


def compare(before: Templates, after: Templates) -> tuple[list[Finding], list[Note]]:
    """What changes from ``before`` to ``after``: what needs a decision, and all the rest, a line each."""
    changes = [change for stack in sorted({*before, *after}) for change in changes_of(stack, before, after)]
    findings = [
        *wider_rights(before, after, changes),
        *memberships(before, after),
        *(finding for change in changes for finding in identities(change)),
        *exposed_secrets(before, after),
        *(finding for change in changes for finding in data_loss(change)),
        *(finding for change in changes for finding in less_protection(change)),
        *(finding for change in changes for finding in unseen(change)),
        *deciding_sections(before, after),
    ]
    notes = [Note(change.stack, described(change)) for change in changes]
    for stack in sorted({*before, *after}):
        ours, theirs = before.get(stack, {}), after.get(stack, {})
        for section in sorted({*ours, *theirs} - {"Resources"}):
            notes += section_notes(stack, section, ours.get(section, {}), theirs.get(section, {}))
    return list(dict.fromkeys(findings)), notes


def compare_ledgers(before: list[dict[str, str]], after: list[dict[str, str]]) -> tuple[list[Finding], list[Note]]:
    """Which excused findings are new, and which are gone or have another reason."""

    def keyed(entries: list[dict[str, str]]) -> dict[tuple[str, str], str]:
        return {(each["where"], each["finding"]): each["reason"] for each in entries}

    old, new = keyed(before), keyed(after)
    findings, notes = [], []
    for (where, rule), reason in new.items():
        stack, _, resource = where.partition("/")
        if (where, rule) not in old:
            what = f"{rule} on {where}"
            findings.append(Finding("new-acknowledgment", what, stack, resource, rule, NOT_THERE, reason))
        elif old[where, rule] != reason:
            notes.append(Note(stack, f"the reason why {rule} is excused on {resource} reads otherwise: {reason}"))
    notes += [
        Note(where.partition("/")[0], f"{rule} on {where} is no longer excused") for where, rule in old.keys() - new
    ]
    return findings, notes

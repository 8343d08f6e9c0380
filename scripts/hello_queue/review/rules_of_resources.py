"""What happens to resources, properties and the rest of a deployment: whatever `table` does not call harmless."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hello_queue.review import table
from hello_queue.review.assembly import Templates
from hello_queue.review.changes import Change, differences
from hello_queue.review.findings import Finding, Note, shown
from hello_queue.review.masking import Mask


def lifecycles(change: Change) -> Iterator[Finding]:
    """Resources that are added, replaced or removed."""
    kind = "data-loss" if change.type == "AWS::SQS::Queue" else "less-protection"
    noun = f"queue {change.name_before}" if change.type == "AWS::SQS::Queue" else change.name_before
    if not change.before:
        if change.type not in table.ADDED or _leads_away(change):
            what = f"{change.stack}/{change.logical_id} is new: {change.type}"
            yield change.finding("unknown-effect", what, "", None, change.after["Properties"] or change.type)
    elif change.is_removed:
        if change.type not in table.REMOVED:
            kept = change.before.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate", "Snapshot")
            after = "kept, but no longer in the stack" if kept else "deleted"
            yield change.finding(kind, f"{noun} is removed", "", change.type, after)
    elif change.is_replaced and change.type not in table.REPLACED:
        what = f"{noun} is replaced" + (f" by {change.name}" if change.name != change.name_before else "")
        old, new = change.name_before, change.name
        if old == new:
            values = [change.values(name) for name in change.causes]
            old, new = (", ".join(shown(value[side]) for value in values) for side in (0, 1))
        old, new = (old, new) if new != old else ("the old one", "a new one")
        yield change.finding(kind, what, ", ".join(change.causes), old, new)
    if change.type in ("AWS::IAM::OIDCProvider", "AWS::IAM::SAMLProvider") and not change.is_removed:
        properties = (each.get("Properties") for each in (change.before, change.after))
        yield change.finding(
            "new-trust", f"roles can trust identities of provider {change.logical_id}", "", *properties
        )


def _leads_away(change: Change) -> bool:
    """Whether a new alarm notifies somebody else. Other new resources have rules of their own."""
    actions = [each for name, each in change.after["Properties"].items() if name.endswith("Actions")]
    return not all(table.more_of_ours(None, each) for each in actions)


def properties(change: Change) -> Iterator[Finding]:
    """Properties and attributes that change, unless the table says that it is harmless."""
    if not change.before or change.is_removed:
        return
    reported = () if change.type in table.REPLACED else change.causes if change.is_replaced else ()
    for path, old, new in change.leaves():
        if path.partition(".")[0] in reported:
            continue
        stricter = path == "Threshold" and table.stricter_alarm(change.before["Properties"], change.after["Properties"])
        if stricter and change.type == "AWS::CloudWatch::Alarm":
            continue
        found = judged(change.type, path, old, new, change.name)
        if found:
            yield change.finding(*found, path, old, new)


def judged(kind: str, path: str, old: Any, new: Any, name: str) -> tuple[str, str] | None:
    """The finding's kind and sentence, or None if the change is harmless."""
    row = table.row_of(kind, path)
    if row is None:
        return "unlisted-change", f"{name}: {path} changed"
    if row.harmless(old, new):
        return None
    finding, colon, sentence = row.why.partition(": ")
    sentence = sentence.split(" | ")[0 if new else -1]
    return (finding, sentence.replace("{}", name)) if colon else ("unlisted-change", f"{name}: {path} changed")


_HARMLESS_SECTIONS = ("AWSTemplateFormatVersion", "Description", "Outputs", "Resources")
"""The sections of a template that do not decide what its resources are."""


def sections(before: Templates, after: Templates) -> Iterator[Finding]:
    for stack, template in after.items():
        old = before.get(stack, {})
        for section in sorted({*old, *template} - {*_HARMLESS_SECTIONS}):
            if template.get(section) != old.get(section):
                what = f"{stack}: {section} changed, which decides at deploy time what is created"
                values = shown(old.get(section)), shown(template.get(section))
                yield Finding("unknown-effect", what, stack, section, "", *values)
        if "Fn::Transform" in json.dumps(template) and template != old:
            what = f"{stack}: Fn::Transform rewrites the template at deploy time"
            yield Finding("unknown-effect", what, stack, "Fn::Transform", "", shown(None), "Fn::Transform")


def facts(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding | Note]:
    """What the assembly says beside the templates: each stack and asset, by a name that starts with its kind.

    A new stack or asset is compared with one of its kind that was there: deployed in the same way, it is harmless.
    """
    mask = Mask()
    before, after = mask(before), mask(after)
    peers = {name.partition(" ")[0]: {**each, "stackName": None, "displayName": None} for name, each in before.items()}
    for name, new in after.items():
        kind, _, title = name.partition(" ")
        old = before.get(name, peers.get(kind, {}))
        if name not in before:
            new = {**new, "stackName": None, "displayName": None}
        for path, was, now in differences(old, new, ""):
            found = judged(kind, path, was, now, title)
            if not found:
                yield Note(title, f"{path} {shown(was, 40)} -> {shown(now, 40)}")
            else:
                yield Finding(*found, title, kind, path, shown(was), shown(now))

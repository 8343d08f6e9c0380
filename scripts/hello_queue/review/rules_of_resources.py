"""What happens to resources, properties and the rest of a deployment: whatever `table` does not call harmless."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from typing import Any

from hello_queue.review import table
from hello_queue.review.assembly import Template, Templates
from hello_queue.review.changes import Change, differences
from hello_queue.review.findings import Finding, Note, shown
from hello_queue.review.masking import Mask
from hello_queue.review.naming import Names
from hello_queue.review.rights.statements import listed


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
            kept = change.before.get("DeletionPolicy") in table.KEEPS
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
    """Whether a new alarm or dashboard calls somebody else. Other new resources have rules of their own."""
    new = change.after["Properties"]
    calls = any(name.endswith("Actions") and not table.more_of_ours(None, each) for name, each in new.items())
    return calls or (
        change.type == "AWS::CloudWatch::Dashboard" and not table.plain_widgets(None, new.get("DashboardBody"))
    )


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


def tags(change: Change, tested: set[str]) -> Iterator[Finding]:
    """Tags that change and on which rights depend."""
    old, new = change.values("Tags")
    if old != new and not change.is_removed:
        for key in sorted(tested & _differing(old, new)):
            yield change.finding("unknown-effect", _DEPENDS.format(change.name, key), "Tags", old, new)


_DEPENDS = "{}: its tag {} changed, which a policy tests: who may do what depends on it"


def _differing(old: Any, new: Any) -> set[str]:
    """The keys of the tags that differ, in small letters."""
    before, after = (
        {
            (str(each.get("Key")).lower(), json.dumps(each.get("Value")))
            for each in listed(tags)
            if isinstance(each, Mapping)
        }
        for tags in (old, new)
    )
    return {key for key, _ in before ^ after}


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
    """What changes in templates beside their resources, and what rewrites them."""
    for stack, template in after.items():
        old = before.get(stack, {})
        yield from _outputs(stack, old, template)
        for section in sorted({*old, *template} - {*_HARMLESS_SECTIONS}):
            if template.get(section) != old.get(section):
                what = f"{stack}: {section} changed, which decides at deploy time what is created"
                values = shown(old.get(section)), shown(template.get(section))
                yield Finding("unknown-effect", what, stack, section, "", *values)
        if "Fn::Transform" in json.dumps(template) and template != old:
            what = f"{stack}: Fn::Transform rewrites the template at deploy time"
            yield Finding("unknown-effect", what, stack, "Fn::Transform", "", shown(None), "Fn::Transform")


def _outputs(stack: str, before: Template, after: Template) -> Iterator[Finding]:
    """Outputs that are not what they were. A new one is harmless: secrets in it have a rule of their own."""
    old, new = (Names(each, typed=True).plain(each.get("Outputs", {})) for each in (before, after))
    for name in old if isinstance(old, Mapping) and isinstance(new, Mapping) else ():
        for path, was, now in differences(old[name], new[name], "") if name in new else ():
            found = judged("output", path, was, now, name)
            if found:
                yield Finding(*found, stack, "Outputs", f"{name}.{path}", shown(was), shown(now))


def facts(
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    *,
    tested: Set[str] = frozenset(),
) -> Iterator[Finding | Note]:
    """What the assembly says beside the templates: each stack and asset, by a name that starts with its kind.

    A new stack or asset is compared with one of its kind that was there: deployed in the same way, it is harmless.
    """
    mask = Mask()
    before, after = mask(before), mask(after)
    peers = {name.partition(" ")[0]: each for name, each in before.items()}
    for name, new in after.items():
        kind, _, title = name.partition(" ")
        old = before.get(name, peers.get(kind, {}))
        for path, was, now in differences(old, new, ""):
            found = judged(kind, path, was, now, title)
            tag = path.removeprefix("tags.").lower()
            if kind == "stack" and tag in tested:
                found = "unknown-effect", _DEPENDS.format(title, tag)
            if not found:
                yield Note(title, f"{path} {shown(was, 40)} -> {shown(now, 40)}")
            else:
                yield Finding(*found, title, kind, path, shown(was), shown(now))

"""What happens to each resource between two templates, by the CDK's own diff."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hello_queue.errors import HelloQueueError
from hello_queue.project import ROOT, environment_with_tools
from hello_queue.review.findings import Finding, Note, shown
from hello_queue.review.naming import Names
from hello_queue.review.synthesis import Template, Templates


@dataclass(frozen=True)
class Change:
    """What happens to one resource.

    Attributes:
        stack: the stack that has the resource.
        logical_id: its logical id.
        name: its name after the change, or its last one.
        name_before: its name before the change.
        type: its type, such as AWS::SQS::Queue.
        impact: what the CDK's diff expects CloudFormation to do, such as WILL_REPLACE.
        before: the resource before the change, with references as text; empty if it is new.
        after: the same after the change; empty if it is removed.
        properties: the changed properties, as the CDK's diff reports them.
    """

    stack: str
    logical_id: str
    name: str
    name_before: str
    type: str
    impact: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    properties: tuple[Mapping[str, Any], ...]

    @property
    def is_removed(self) -> bool:
        return not self.after

    @property
    def is_replaced(self) -> bool:
        return bool(self.before and self.after) and self.impact in ("WILL_REPLACE", "MAY_REPLACE")

    def values(self, name: str) -> tuple[Any, Any]:
        """A property's values before and after; None if it is not set."""
        before, after = (resource.get("Properties", {}).get(name) for resource in (self.before, self.after))
        return before, after

    def finding(self, kind: str, what: str, prop: str, before: Any, after: Any) -> Finding:
        return Finding(kind, what, self.stack, self.logical_id, prop, shown(before), shown(after))


def all_changes(pairs: Sequence[tuple[Templates, Templates]]) -> list[list[Change]]:
    """The changes of each pair of templates, before and after. One run of the CDK's diff serves all pairs.

    Raises:
        HelloQueueError: the CDK's diff refuses a template.
    """
    stacks = [
        (number, stack, before.get(stack, {}), after.get(stack, {}))
        for number, (before, after) in enumerate(pairs)
        for stack in sorted({*before, *after})
        if before.get(stack, {}) != after.get(stack, {})
    ]
    found: list[list[Change]] = [[] for _ in pairs]
    differences = _differences([(old, new) for *_, old, new in stacks])
    for (number, stack, old, new), resources in zip(stacks, differences, strict=True):
        for difference in resources:
            found[number] += _changes(stack, old, new, difference)
    return found


def _differences(templates: list[tuple[Template, Template]]) -> list[list[dict[str, Any]]]:
    """What the CDK's diff reports for each pair of templates."""
    if not templates:
        return []
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("changes.cjs"))],
        cwd=ROOT,
        env=environment_with_tools(),
        input=json.dumps([{"before": before, "after": after} for before, after in templates]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise HelloQueueError(f"the templates cannot be compared:\n{done.stderr.strip()}")
    differences: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return differences


def _changes(stack: str, old: Template, new: Template, difference: Mapping[str, Any]) -> Iterator[Change]:
    logical_id = difference["id"]
    old_names, new_names = Names(old), Names(new)
    before = _with_names(old.get("Resources", {}).get(logical_id, {}), old_names)
    after = _with_names(new.get("Resources", {}).get(logical_id, {}), new_names)
    # A logical id with another type is another resource: one is removed, one is added.
    other_type = bool(before and after and before["Type"] != after["Type"])
    for one, other in ((before, {}), ({}, after)) if other_type else ((before, after),):
        name_before = old_names.of(logical_id)
        yield Change(
            stack,
            logical_id,
            name=new_names.of(logical_id) if other else name_before,
            name_before=name_before,
            type=(other or one)["Type"],
            impact=difference["impact"],
            before=one,
            after=other,
            properties=() if other_type else tuple(difference["properties"]),
        )


def _with_names(resource: Mapping[str, Any], names: Names) -> Mapping[str, Any]:
    """The resource with the references in its properties as text."""
    return {**resource, "Properties": names.plain(resource.get("Properties", {}))} if resource else {}


def described(change: Change) -> str:
    """The change in one line."""
    thing = f"{change.type} {change.name}"
    if not change.before:
        return f"added: {thing}"
    if change.is_removed:
        return f"removed: {thing}"
    verb = "REPLACED" if change.is_replaced else "changed in place"
    names = [str(each["name"]) for each in change.properties]
    return f"{verb}: {thing}" + (f": {', '.join(_step(change, name) for name in names)}" if names else "")


def _step(change: Change, name: str) -> str:
    before, after = (shown(value, 40) for value in change.values(name))
    return name if before == after else f"{name} {before} -> {after}"


def section_notes(stack: str, section: str, before: Any, after: Any) -> Iterator[Note]:
    """Notes on a section of a template other than its resources."""
    if before == after:
        return
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        yield Note(stack, f"{section} changed")
        return
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            verb = "added" if name not in before else "removed" if name not in after else "changed"
            yield Note(stack, f"{verb}: {section.lower().rstrip('s')} {name}")

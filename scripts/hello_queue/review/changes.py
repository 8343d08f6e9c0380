"""What happens to each resource from one template to another, by the CDK's own diff."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hello_queue.errors import HelloQueueError
from hello_queue.project import ROOT, environment_with_tools
from hello_queue.review.findings import Finding, Note, shown
from hello_queue.review.naming import Names
from hello_queue.review.synthesis import Templates


@dataclass(frozen=True)
class Change:
    """What happens to one resource."""

    stack: str
    logical_id: str
    name: str
    name_before: str
    type: str
    impact: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    """The whole resource, with references as text; empty where there is none."""
    properties: tuple[Mapping[str, Any], ...]

    @property
    def is_gone(self) -> bool:
        return not self.after

    @property
    def is_replaced(self) -> bool:
        return bool(self.before and self.after) and self.impact in ("WILL_REPLACE", "MAY_REPLACE")

    def values(self, name: str) -> tuple[Any, Any]:
        """A property before and after; None where it is not there."""
        before, after = (resource.get("Properties", {}).get(name) for resource in (self.before, self.after))
        return before, after

    def finding(self, kind: str, what: str, prop: str, before: Any, after: Any) -> Finding:
        return Finding(kind, what, self.stack, self.logical_id, prop, shown(before), shown(after))


def changes_of(stack: str, before: Templates, after: Templates) -> Iterator[Change]:
    old, new = before.get(stack, {}), after.get(stack, {})
    if old == new:
        return
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("changes.cjs"))],
        cwd=ROOT,
        env=environment_with_tools(),
        input=json.dumps({"before": old, "after": new}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise HelloQueueError(f"the templates of {stack} cannot be compared:\n{done.stderr.strip()}")
    for change in json.loads(done.stdout):
        logical_id = change["id"]
        ours, theirs = (template.get("Resources", {}).get(logical_id, {}) for template in (old, new))
        ours, theirs = _with_names(ours, Names(old)), _with_names(theirs, Names(new))
        # What has another type under the old logical id is another resource: one goes, one comes.
        another = bool(ours and theirs and ours["Type"] != theirs["Type"])
        for one, other in ((ours, {}), ({}, theirs)) if another else ((ours, theirs),):
            name_before = Names(old).of(logical_id)
            yield Change(
                stack,
                logical_id,
                name=Names(new).of(logical_id) if other else name_before,
                name_before=name_before,
                type=(other or one)["Type"],
                impact=change["impact"],
                before=one,
                after=other,
                properties=() if another else tuple(change["properties"]),
            )


def _with_names(resource: Mapping[str, Any], names: Names) -> Mapping[str, Any]:
    """The resource, with its properties' references as text."""
    return {**resource, "Properties": names.plain(resource.get("Properties", {}))} if resource else {}


def described(change: Change) -> str:
    """A change as one line."""
    thing = f"{change.type} {change.name}"
    if not change.before:
        return f"added: {thing}"
    if change.is_gone:
        return f"removed: {thing}"
    verb = "REPLACED" if change.is_replaced else "changed in place"
    names = [str(each["name"]) for each in change.properties]
    return f"{verb}: {thing}" + (f": {', '.join(_step(change, name) for name in names)}" if names else "")


def _step(change: Change, name: str) -> str:
    before, after = (shown(value, 40) for value in change.values(name))
    return name if before == after else f"{name} {before} -> {after}"


def section_notes(stack: str, section: str, before: Any, after: Any) -> Iterator[Note]:
    if before == after:
        return
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        yield Note(stack, f"{section} reads otherwise")
        return
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            verb = "added" if name not in before else "removed" if name not in after else "changed"
            yield Note(stack, f"{verb}: {section.lower().rstrip('s')} {name}")

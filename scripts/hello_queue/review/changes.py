"""What happens to each resource between two templates: old and new are matched by what they are."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hello_queue.errors import UsageError
from hello_queue.project import ROOT, environment_with_tools
from hello_queue.review.assembly import Template, Templates, readable
from hello_queue.review.findings import Finding, Note, shown
from hello_queue.review.masking import Mask
from hello_queue.review.naming import NO_VALUE, Names, physical_name, renamed


@dataclass(frozen=True)
class Change:
    """What happens to one resource.

    Attributes:
        stack, logical_id: where it is after the change, or was at last.
        name: its name after the change, or its last one.
        name_before: its name before the change, or its first one.
        type: such as ``AWS::SQS::Queue``.
        impact: what the CDK's diff expects CloudFormation to do, such as WILL_REPLACE.
        before: the resource before the change, with references as text and the names of after the change; empty if it
            is new.
        after: the same after the change; empty if it is removed.
        causes: the properties that replace it.
        moved: whether it has another logical id than before.
    """

    stack: str
    logical_id: str
    name: str
    name_before: str
    type: str
    impact: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    causes: tuple[str, ...] = ()
    moved: bool = False

    @property
    def is_removed(self) -> bool:
        return not self.after

    @property
    def is_replaced(self) -> bool:
        return bool(self.before and self.after) and (self.moved or self.impact in ("WILL_REPLACE", "MAY_REPLACE"))

    def values(self, name: str) -> tuple[Any, Any]:
        """A property's values before and after; None if it is not set."""
        before, after = (resource.get("Properties", {}).get(name) for resource in (self.before, self.after))
        return before, after

    def leaves(self) -> Iterator[tuple[str, Any, Any]]:
        """Each property or attribute that differs: its path, and its values before and after."""
        before, after = ({**each, **each.get("Properties", {})} for each in (self.before, self.after))
        for name in sorted({*before, *after} - {"Type", "Properties"}):
            yield from differences(before.get(name), after.get(name), name)
        key, new = physical_name(self.after)
        if key and self.before and self.name_before != new and self.values(key)[0] == new:
            yield key, self.name_before, new

    def finding(self, kind: str, what: str, prop: str, before: Any, after: Any) -> Finding:
        return Finding(kind, what, self.stack, self.logical_id, prop, shown(before), shown(after))


def differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Each value that differs, as deep as both are mappings: its path, and the values."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*map(str, before), *map(str, after)}):
            yield from differences(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif before != after or type(before) is not type(after):
        yield path, before, after


_TAG = re.compile(r"(?:Resource|Principal|Request)Tag/([\w+=.@-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Pair:
    """Two states of a deployment.

    Attributes:
        before: the templates before the change, with the names that their resources have after it.
        after: the templates after the change.
        changes: what happens to each resource.
        details: what `cdk diff` prints, by stack.
    """

    before: Templates
    after: Templates
    changes: list[Change]
    details: dict[str, str]

    @functools.cached_property
    def tested_tags(self) -> set[str]:
        """The keys of tags that a condition or a variable of a policy reads, in small letters."""
        return {key.lower() for key in _TAG.findall(json.dumps((self.before, self.after)))}


def pairs_of(states: Sequence[tuple[Templates, Templates]]) -> list[Pair]:
    """Match each two states, without literal secrets. One run of the CDK's diff serves all.

    Raises:
        UsageError: the CDK's diff refuses a template.
    """
    mask = Mask()
    states = [
        ({n: mask(readable(t)) for n, t in old.items()}, {n: mask(readable(t)) for n, t in new.items()})
        for old, new in states
    ]
    stacks = [
        (number, stack, before.get(stack, {"Resources": {}}), after.get(stack, {"Resources": {}}))
        for number, (before, after) in enumerate(states)
        for stack in sorted({*before, *after})
        if before.get(stack) != after.get(stack)
    ]
    pairs = [Pair(_with_new_names(before, after), after, [], {}) for before, after in states]
    compared = _compared([{"before": old, "after": new} for *_, old, new in stacks])
    for (number, stack, old, new), found in zip(stacks, compared, strict=True):
        pair = pairs[number]
        pair.changes.extend(_changes(stack, old, pair.before.get(stack, old), new, found["impacts"]))
        pair.details[stack] = found["text"].strip() if new["Resources"] else "The whole stack is removed."
    return pairs


def _compared(templates: list[dict[str, Template]]) -> list[dict[str, Any]]:
    if not templates:
        return []
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("changes.cjs"))],
        cwd=ROOT,
        env=environment_with_tools(),
        input=json.dumps(templates) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "Error" in line), "no reason")
        raise UsageError(f"the CDK cannot compare the templates: {reason.strip()}")
    compared: list[dict[str, Any]] = json.loads(done.stdout)
    return compared


def _matches(old: Template, new: Template) -> dict[str, str]:
    """The new logical id of each old resource that still exists: by logical id, then by name, then as the only one."""
    befores, afters = old["Resources"], new["Resources"]
    matched = {id_: id_ for id_, each in befores.items() if afters.get(id_, {}).get("Type") == each["Type"]}
    for key in (lambda each: (each["Type"], physical_name(each)), lambda each: (each["Type"],)):
        left = [id_ for id_ in befores if id_ not in matched]
        right = [id_ for id_ in afters if id_ not in matched.values()]
        for id_ in left:
            same = [other for other in right if key(afters[other]) == key(befores[id_])]
            if len(same) == 1 and sum(key(befores[other]) == key(befores[id_]) for other in left) == 1:
                matched[id_] = same[0]
    return matched


def _moved(matched: Mapping[str, str], old: Template) -> dict[str, str]:
    """The new logical id of each matched resource that has another one, unless something else had that."""
    return {id_: other for id_, other in matched.items() if id_ != other and other not in old["Resources"]}


def _with_new_ids(template: Template, moved: Mapping[str, str]) -> Template:
    """The template with these logical ids replaced: where they are defined, and where something refers to them."""
    if not moved:
        return template
    ids = "|".join(map(re.escape, moved))
    text = re.sub(rf'(?<=")(?:{ids})(?=[".])|(?<=\$\{{)(?:{ids})(?=[.}}])', lambda m: moved[m[0]], json.dumps(template))
    changed: Template = json.loads(text)
    return changed


def _with_new_names(before: Templates, after: Templates) -> Templates:
    """The templates before the change, as if the resources that are renamed had had their new names and logical ids.

    So a right to a queue that is renamed is the same right, and whatever else changes stands out.
    """
    names: dict[str, str] = {}
    known = {}
    for stack, old in before.items():
        new = after.get(stack, {"Resources": {}})
        matched = _matches(old, new)
        known[stack] = _with_new_ids(old, _moved(matched, old))
        for id_, other in matched.items():
            (_, was), (_, now) = physical_name(old["Resources"][id_]), physical_name(new["Resources"][other])
            if was and now and was != now:
                names[was] = now
    if not names:
        return known
    templates = {}
    for stack, old in renamed(known, names).items():
        resources = {}
        for id_, resource in old["Resources"].items():
            key, was = physical_name(resource)
            new_name = {key: names[was]} if was in names else {}
            resources[id_] = (
                {**resource, "Properties": {**resource["Properties"], **new_name}} if new_name else resource
            )
        templates[stack] = {**old, "Resources": resources}
    return templates


def _changes(stack: str, old: Template, known: Template, new: Template, impacts: Mapping[str, Any]) -> Iterator[Change]:
    """The changes of a stack; `known` is the old template with new names."""
    matched = _matches(old, new)
    moved = _moved(matched, old)
    old_names, known_names = Names(old), Names(known, typed=True)
    new_names = Names(new, typed=True)
    ids: list[tuple[str | None, str | None]] = [(id_, matched.get(id_)) for id_ in old["Resources"]]
    ids += [(None, id_) for id_ in new["Resources"] if id_ not in matched.values()]
    for id_, other in ids:
        before = _with_names(known["Resources"][moved.get(id_, id_)], known_names) if id_ else {}
        after = _with_names(new["Resources"][other], new_names) if other else {}
        name_before = old_names.of(id_) if id_ else ""
        name = new_names.of(other) if other else name_before
        logical_id = other or id_ or ""
        impact = impacts.get(logical_id, {})
        change = Change(
            stack,
            logical_id,
            name=name,
            name_before=name_before or name,
            type=(after or before)["Type"],
            impact=impact.get("impact", "") if id_ == other else "",
            before=before,
            after=after,
            causes=tuple(impact.get("causes", ())),
            moved=bool(id_ and other and id_ != other),
        )
        # What refers to a resource that is renamed is equal by its new name, but may be replaced with it.
        if before != after or change.name_before != name or change.is_replaced:
            yield change


def _with_names(resource: Mapping[str, Any], names: Names) -> Mapping[str, Any]:
    """The resource with the references in its properties as text, and its dependencies by name."""
    depends = resource.get("DependsOn", [])
    listed = depends if isinstance(depends, list) else [depends]
    targets = sorted(names.of(each) if isinstance(each, str) else str(each) for each in listed)
    rest = {"DependsOn": targets} if targets else {}
    values = {key: names.plain(value) for key, value in resource.get("Properties", {}).items() if value != NO_VALUE}
    return {**resource, **rest, "Properties": values}


def described(change: Change) -> str:
    """The change in one line."""
    thing = f"{change.type} {change.name}"
    if not change.before:
        return f"added: {thing}"
    if change.is_removed:
        return f"removed: {thing}"
    verb = "REPLACED" if change.is_replaced else "changed in place"
    steps = [
        path if shown(old, 40) == shown(new, 40) else f"{path} {shown(old, 40)} -> {shown(new, 40)}"
        for path, old, new in change.leaves()
    ]
    return f"{verb}: {thing}" + (f": {', '.join(steps)}" if steps else "")


def section_notes(stack: str, section: str, before: Any, after: Any) -> Iterator[Note]:
    """Notes on a section of a template other than its resources."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                verb = "added" if name not in before else "removed" if name not in after else "changed"
                yield Note(stack, f"{verb}: {section.lower().rstrip('s')} {name}")
    elif before != after:
        yield Note(stack, f"changed: {section.lower()}")

"""What guards the deployment beside the templates: golden files, cdk-nag, cdk.json, and the review itself."""

from __future__ import annotations

import ast
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hello_queue.errors import UsageError
from hello_queue.project import ROOT
from hello_queue.review.assembly import Synthesis, Template
from hello_queue.review.changes import differences
from hello_queue.review.findings import ABSENT, Finding, Note, shown
from hello_queue.review.masking import Mask
from hello_queue.review.rules_of_resources import judged
from hello_queue.review.sandbox import run_python
from hello_queue.review.synthesis import DEFAULT, GOLDEN

_REVIEWERS = (
    *("scripts/review.py", "scripts/golden.py", "scripts/hello_queue/review/"),
    *("scripts/rehearse.py", "scripts/hello_queue/rehearsal/"),
)
_NAG = "AwsSolutions"


def stale_golden(files: Sequence[str]) -> Iterator[Finding]:
    """Golden files that are not what the code makes."""
    if files:
        what = f"{GOLDEN} is not what the code makes"
        yield Finding("stale-golden", what, GOLDEN, "", "", "up to date", f"out of date: {', '.join(files)}")


def project_file(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    """A file such as cdk.json, which says what `cdk deploy` runs, loads and asks."""
    mask = Mask()
    before, after = (mask({"context": {}, **each}) for each in (before, after))
    for path, old, new in differences(before, after, ""):
        found = judged(name, path, old, new, name)
        if found:
            kind, what = found
            yield Finding(kind, f"{what}: {path}: {shown(new)}", name, path, "", shown(old), shown(new))


def reviewers(changed: Sequence[str]) -> Iterator[Finding]:
    """What a review runs: its own files, and whatever else of the working tree Python has imported for it."""
    imported = {getattr(module, "__file__", None) for module in [*sys.modules.values()]}
    ours = [name for name in changed if name.startswith("scripts/") and not name.startswith("scripts/workers/")]
    files = [name for name in ours if name.startswith(_REVIEWERS) or str(ROOT / name) in imported]
    if files:
        what = "this change also changes the review: compare with the review of the base"
        yield Finding("weaker-review", what, files[0], "", "", "the review of the base", ", ".join(files))


def acknowledgments(before: list[dict[str, str]], after: list[dict[str, str]]) -> tuple[list[Finding], list[Note]]:
    """Find the acknowledged cdk-nag findings that are new, that are gone, or whose reason changed."""
    old, new = ({(each["where"], each["finding"]): each["reason"] for each in entries} for entries in (before, after))
    findings, notes = [], []
    for (where, rule), reason in new.items():
        stack, _, resource = where.partition("/")
        if (where, rule) not in old:
            what = f"{rule} on {where}"
            findings.append(Finding("new-acknowledgment", what, stack, resource, rule, ABSENT, reason))
        elif old[where, rule] != reason:
            notes.append(Note(stack, f"the reason for acknowledging {rule} on {resource} changed: {reason}"))
    gone = [(where, rule) for where, rule in old if (where, rule) not in new]
    notes += [Note(where.partition("/")[0], f"{rule} on {where} is no longer acknowledged") for where, rule in gone]
    return findings, notes


def failed_validation(synthesis: Synthesis) -> Iterator[Finding]:
    """What the app's own validation refuses, so that the app fails."""
    for each in synthesis.violations:
        stack, _, resource = each["where"].partition("/")
        what = f"{each['finding']} on {each['where']}"
        yield Finding("failed-validation", what, stack, resource, "", "", each["reason"].partition(". ")[0][:300])


def silenced_rules(before: Synthesis, after: Mapping[str, Synthesis]) -> Iterator[tuple[Finding, str]]:
    """What cdk-nag finds in the templates and the app does not acknowledge; and plugins that no longer run.

    Each with its variant.
    """
    gone = sorted(before.plugins - frozenset.union(*(each.plugins for each in after.values())))
    for plugin in gone:
        yield Finding("weaker-review", f"{plugin} no longer checks the app", "app.py", "", "", plugin, ABSENT), DEFAULT
    if _NAG in gone:
        return
    templates = {json.dumps(template): template for each in after.values() for template in each.templates.values()}
    try:
        violations = dict(zip(templates, _violations(list(templates.values())), strict=True))
    except UsageError as error:
        yield Finding("weaker-review", str(error), "app.py", "", "", _NAG, ABSENT), DEFAULT
        return
    for variant, each in after.items():
        known = {(entry["finding"], entry["id"]) for entry in (*each.acknowledgments, *each.violations)}
        for stack, template in each.templates.items():
            for rule, logical_id in violations[json.dumps(template)]:
                if (rule, f"{stack}/{logical_id}") not in known:
                    what = f"{rule} on {stack}/{logical_id} is silenced without a trace"
                    yield Finding("silenced-rule", what, stack, logical_id, rule, "reported", "silenced"), variant


def _violations(templates: list[Template]) -> list[set[tuple[str, str]]]:
    """The rule and the logical id of each violation, by template."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        directory = Path(name)
        printed = run_python(
            [str(Path(__file__).with_name("run_nag.py")), f"{name}/out"],
            root=Path(__file__).parents[3],
            directory=directory,
            # The CDK has validated them, and its validator takes seconds to start.
            variables={"CDK_VALIDATION": "false"},
            stdin=json.dumps(templates),
            isolated=True,
        )
        try:
            report = json.loads((directory / "out/validation-report.json").read_text())["pluginReports"]
        except (OSError, ValueError):
            last = (printed.strip().splitlines() or ["nothing"])[-1]
            raise UsageError(f"cdk-nag cannot check the templates: {last}") from None
    found: list[set[tuple[str, str]]] = [set() for _ in templates]
    for plugin in report:
        for violation in plugin["violations"] if plugin["pluginName"] == _NAG else ():
            for construct in violation["violatingConstructs"]:
                stack, _, logical_id = construct["constructPath"].split("/", 2)
                found[int(stack[1:])].add((violation["ruleName"], logical_id))
    return found


def _meaning(path: str, text: str | None) -> str | None:
    """A file without what Python ignores."""
    try:
        # Bytes, since a comment may name another encoding.
        return ast.dump(ast.parse(text.encode())) if text is not None and path.endswith(".py") else text
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text


def other_code(
    before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]
) -> Iterator[Finding | Note]:
    """Assets that are new or have other contents."""
    for name, files in after.items():
        old = before.get(name, {})
        changed = sorted(path for path in {*old, *files} if old.get(path) != files.get(path))
        if name not in before:
            yield Finding("new-code", f"{name} is new", name, "", "", ABSENT, ", ".join(changed))
        elif changed and all(_meaning(path, old.get(path)) == _meaning(path, files.get(path)) for path in changed):
            yield Note(name, f"only comments or the layout of {', '.join(changed)} changed")
        elif changed:
            yield Finding("new-code", f"{name} runs other code", name, "", "", ", ".join(changed), "see the details")

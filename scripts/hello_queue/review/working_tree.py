"""Reviews a working tree: what it changes against a base, with the findings that the change accepts set apart."""

from __future__ import annotations

import difflib
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hello_queue.errors import UsageError
from hello_queue.project import ROOT
from hello_queue.review import rules_of_guards as guards
from hello_queue.review.assembly import Synthesis, Templates
from hello_queue.review.base import Base, accepted_since, changed_files, check_out, read_base
from hello_queue.review.changes import pairs_of
from hello_queue.review.comparison import compare_pair
from hello_queue.review.findings import NOT_ACCEPTABLE, WHY, Finding, Note, short
from hello_queue.review.naming import in_words_of, physical_name
from hello_queue.review.report import Review
from hello_queue.review.rules_of_resources import facts
from hello_queue.review.rules_of_sources import installed, telltale
from hello_queue.review.sandbox import isolation
from hello_queue.review.synthesis import (
    DEFAULT,
    REVIEWED,
    RefusedError,
    Variants,
    acknowledgments,
    stale_files,
    synthesize,
)


@dataclass(frozen=True)
class State:
    """What a commit or a working tree deploys.

    Attributes:
        variants: what it synthesizes for each variant, or why not.
        project: its cdk.json.
    """

    variants: Mapping[str, Synthesis | RefusedError]
    project: Mapping[str, Any] = field(default_factory=dict)


def review_working_tree(
    base_name: str, root: Path = ROOT, *, isolated: bool = True, variants: Variants | None = None
) -> Review:
    """Compare what a working tree deploys with what a commit deploys.

    Args:
        base_name: the commit to compare with: its merge base with HEAD.
        root: the working tree.
        isolated: whether the code under review is kept away from the caller's variables, network and files.
        variants: those to compare; None: all. The golden files of any other count as out of date.

    Raises:
        UsageError: the base or the acceptances cannot be read, or the working tree cannot be synthesized.
    """
    base = read_base(base_name, root)
    accepted = accepted_since(base, root)
    changed = changed_files(base.commit, root)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, ThreadPoolExecutor() as pool:
        folder = Path(name, "base")
        folder.mkdir()
        if not (isolated and "--mount" in isolation(folder)):
            print("the code under review runs without namespaces of its own (see docs/review.md)", file=sys.stderr)
        variants = variants or REVIEWED
        new = pool.submit(_state, root, variants, isolated)
        old = new
        if changed:
            check_out(base.commit, root, folder)
            old = pool.submit(_state, folder, variants, isolated)
        now = new.result()
        more: list[Finding | Note] = list(guards.stale_golden(list(stale_files(_synthesized(now.variants), root))))
        try:
            before = old.result()
        except UsageError as error:
            # Another version of the CDK, for example. The golden templates are still there to compare with.
            more.append(_not_synthesized("the base", error))
            before = State({}, _project(folder))
        if changed:
            more += [*guards.reviewers(changed), *telltale(folder, root), *installed(folder, root, changed)]
    return review(base, before, now, accepted, more, changed)


def _state(root: Path, variants: Variants, isolated: bool) -> State:
    return State(synthesize(variants, root, isolated=isolated, must_be_valid=False), _project(root))


def _project(root: Path) -> Mapping[str, Any]:
    try:
        project = json.loads((root / "cdk.json").read_text())
    except (OSError, ValueError):
        project = None
    return project if isinstance(project, dict) else {}


def _synthesized(variants: Mapping[str, Synthesis | RefusedError]) -> dict[str, Synthesis]:
    return {variant: each for variant, each in variants.items() if isinstance(each, Synthesis)}


def _not_synthesized(what: str, reason: Exception) -> Finding:
    return Finding("unknown-effect", f"{what} cannot be synthesized: {reason}", "app.py", "", "", "templates", "none")


def review(
    base: Base,
    before: State,
    now: State,
    accepted: Mapping[str, str],
    more: Sequence[Finding | Note],
    changed: list[str],
) -> Review:
    """Compare each variant. A finding is reported once, with the variants that have it.

    Args:
        base: the golden files to compare with.
        before: what the base synthesizes. Its golden templates count where it has them: they were reviewed.
        now: what the working tree synthesizes.
        accepted: the reasons for accepting findings, by the findings' ids.
        more: findings and notes about the working tree as a whole.
        changed: the files that differ from the base's.
    """
    olds, news = _synthesized(before.variants), _synthesized(now.variants)
    found = [(each, DEFAULT) for each in more if isinstance(each, Finding)]
    found += [
        (finding, DEFAULT) for finding in guards.project_file("cdk.json", before.project or now.project, now.project)
    ]
    for variant, refused in now.variants.items():
        if isinstance(refused, RefusedError) and (variant in olds or variant in base.variants):
            found.append((_not_synthesized("the app", refused), variant))
    # A variant that the base refuses, or that is not in its golden files, is compared with the default settings.
    default = olds.get(DEFAULT, Synthesis(base.variants[DEFAULT], [], {}))
    states = {}
    for variant, new in news.items():
        old = olds.get(variant, default)
        golden = base.variants.get(variant)
        hashes = {**old.hashes, **new.hashes}
        templates = old.templates if golden is None else golden
        states[variant] = _without_hashes(templates, hashes), _without_hashes(new.templates, hashes)
    notes: dict[str, list[Note]] = {}
    details: dict[str, tuple[str, str, list[str]]] = {}
    all_words = _words(states)
    pairs = dict(zip(news, pairs_of(list(states.values())), strict=True))
    for variant, new in news.items():
        old, pair = olds.get(variant, default), pairs[variant]
        words = all_words[variant]
        findings, notes_here = compare_pair(pair)
        beside = facts(old.facts, new.facts, tested=pair.tested_tags)
        found += [(finding.in_words_of(words), variant) for finding in guards.failed_validation(new)]
        for fact in (*beside, *guards.other_code(old.assets, new.assets)) if olds else ():
            (findings if isinstance(fact, Finding) else notes_here).append(fact)  # type: ignore[arg-type]
        found += [(finding.in_words_of(words), variant) for finding in findings]
        notes[variant] = [Note(in_words_of(n.stack, words), in_words_of(n.text, words)) for n in notes_here]
        for title, text in (*pair.details.items(), *_code_details(old, new)):
            # Names have as many spaces and lines after them as their table is wide.
            alike = re.sub("[ ─]+", " ", in_words_of(f"{title}\n{text}", words))
            details.setdefault(alike, (title, text, []))[2].append(variant)
    known = [*base.acknowledgments, *acknowledgments(olds, all_words)]
    acknowledged, more_notes = guards.acknowledgments(known, acknowledgments(news, all_words))
    more_notes += [each for each in more if isinstance(each, Note)]
    found += [(finding, DEFAULT) for finding in acknowledged]
    if olds and any(_differ(olds.get(variant, default), new) for variant, new in news.items()):
        silenced = guards.silenced_rules(default, news)
        found += [(finding.in_words_of(all_words[variant]), variant) for finding, variant in silenced]
    if any(name.startswith("stacks/") or name == "app.py" for name in changed) and not any(notes.values()):
        text = f"stacks/ changed, but none of the {len(news)} variants did: another combination of settings may"
        more_notes.append(Note("stacks", text))
    findings_with = _together(found)
    decided = {
        finding: accepted[short(finding.id)]
        for finding in findings_with
        if short(finding.id) in accepted and finding.kind not in NOT_ACCEPTABLE
    }
    fresh_notes = _first_seen({**notes, DEFAULT: [*more_notes, *notes[DEFAULT]]})
    return Review(
        base.commit,
        open={finding: where for finding, where in findings_with.items() if finding not in decided},
        accepted=decided,
        notes=fresh_notes.pop(DEFAULT, []),
        other_notes=fresh_notes,
        details={f"{title} ({_in_variants(where)})": text for title, text, where in details.values()},
        variants=list(news),
        changes=pairs[DEFAULT].changes,
    )


def _together(found: list[tuple[Finding, str]]) -> dict[Finding, list[str]]:
    """Each finding once, with the variants that have it; the most dangerous kind first."""
    together: dict[tuple[str, str, str], tuple[Finding, dict[str, None]]] = {}
    for finding, variant in sorted(found, key=lambda each: list(WHY).index(each[0].kind)):
        key = (finding.id, finding.stack, finding.resource)
        together.setdefault(key, (finding, {}))[1][variant] = None
    return {finding: list(where) for finding, where in together.values()}


def _first_seen(notes: Mapping[str, list[Note]]) -> dict[str, list[Note]]:
    """Each note once, with the first variant that has it."""
    seen: set[Note] = set()
    fresh = {}
    for variant, here in notes.items():
        fresh[variant] = [note for note in dict.fromkeys(here) if note not in seen]
        seen.update(here)
    return {variant: here for variant, here in fresh.items() if here}


def _in_variants(variants: list[str]) -> str:
    """Which variants something is about, in a few words."""
    return variants[0] if len(variants) == 1 else f"{variants[0]} and {len(variants) - 1} more"


def _without_hashes(templates: Templates, hashes: Mapping[str, str]) -> Templates:
    """The templates with assets by their names: what is in them is compared, not their hash."""
    text = json.dumps(templates)
    for hash_, title in hashes.items():
        text = text.replace(hash_, json.dumps(title)[1:-1])
    changed: Templates = json.loads(text)
    return changed


def _words(states: Mapping[str, tuple[Templates, Templates]]) -> dict[str, dict[str, str]]:
    """By variant: the names of its stacks and resources, with those that they have in the first variant that has them.

    So that one change is one finding, although a deployment's name is in front of all names.
    """
    words: dict[str, dict[str, str]] = {variant: {} for variant in states}
    usual: dict[tuple[int, str, str], str] = {}
    stacks: list[str] = []
    for variant, sides in states.items():
        for side, templates in enumerate(sides):
            for stack, template in templates.items():
                known = next((each for each in stacks if stack == each or stack.endswith(f"-{each}")), stack)
                stacks += [] if known in stacks else [known]
                names = {id_: physical_name(resource)[1] for id_, resource in template["Resources"].items()}
                for id_, name in (("", stack), *names.items()):
                    other = usual.setdefault((side, known, id_), name) if id_ else known
                    if name and other and name != other:
                        words[variant][name] = other
    return words


def _code_details(before: Synthesis, after: Synthesis) -> Iterator[tuple[str, str]]:
    for name, files in after.assets.items():
        old = before.assets.get(name, files)
        for path in sorted({*old, *files}):
            was, now = old.get(path, "").splitlines(), files.get(path, "").splitlines()
            lines = list(difflib.unified_diff(was, now, "before", "after", lineterm=""))
            if lines:
                left = [f"... and {len(lines) - 200} more lines"] if len(lines) > 200 else []
                yield f"{path} of {name}", "\n".join(lines[:200] + left)


def _differ(old: Synthesis, new: Synthesis) -> bool:
    return (old.templates, old.acknowledgments, old.plugins) != (new.templates, new.acknowledgments, new.plugins)

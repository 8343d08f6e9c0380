"""Say what a change does in AWS, in two minutes and without credentials.

Compares what the working tree synthesizes with the golden templates of a base commit. Findings that need a person's
decision come first; a finding that is meant is accepted by a line in tests/golden/accepted.yaml, in the same change.
Exit status: 0 nothing is left to decide, 1 something is, 2 there is nothing to compare with.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import parser
from hello_queue.errors import HelloQueueError, UsageError
from hello_queue.project import ROOT, environment_with_tools
from hello_queue.review.base import ACCEPTED, Base, read_base
from hello_queue.review.comparison import compare, compare_ledgers
from hello_queue.review.findings import WHY, Finding, Note
from hello_queue.review.report import Review, as_markdown, as_text
from hello_queue.review.synthesis import DEFAULT, GOLDEN, Synthesis, Templates, as_yaml, ledger, synthesize

EXAMPLES = """\
  python scripts/review.py                                     against origin/main (`make review`)
  python scripts/review.py --base HEAD~1                       against the last commit
  python scripts/review.py --fail-on data-loss,exposed-secret  exit with 1 for these only
  python scripts/review.py --markdown review.md                also as Markdown"""


def main() -> int:
    arguments = _parse()
    base = read_base(arguments.base, ROOT)
    review = make_review(base, synthesize(), _accepted_here(base))
    print(as_text(review), end="")
    if arguments.markdown:
        try:
            arguments.markdown.write_text(as_markdown(review))
        except OSError as error:
            raise HelloQueueError(f"{arguments.markdown} cannot be written: {error.strerror}") from None
    return FAILED if any(finding.kind in arguments.fail_on for finding in review.open) else DONE


def make_review(base: Base, now: Mapping[str, Synthesis], accepted: Mapping[str, str]) -> Review:
    """Compare each variant, and tell a finding once: with the first variant that has it.

    Args:
        base: what there was.
        now: what there is, by variant.
        accepted: the reasons for which findings are accepted, by the findings' ids.
    """
    findings: dict[Finding, str] = {}
    notes: dict[str, list[Note]] = {}
    for variant, synthesis in now.items():
        # A variant without files of its own is as the default is.
        before = base.variants.get(variant, base.variants[DEFAULT])
        found, notes[variant] = compare(before, synthesis.templates)
        for finding in found:
            findings.setdefault(finding, variant)
    found, ledger_notes = compare_ledgers(base.ledger, ledger(now))
    findings.update(dict.fromkeys(found, DEFAULT))
    default_notes = [*notes.pop(DEFAULT), *ledger_notes]
    others = {
        variant: more
        for variant, its_notes in notes.items()
        if (more := [note for note in its_notes if note not in default_notes])
    }
    return Review(
        base.commit,
        {finding: variant for finding, variant in findings.items() if finding.id not in accepted},
        {finding: accepted[finding.id] for finding in findings if finding.id in accepted},
        default_notes,
        others,
        _details(base.variants[DEFAULT], now[DEFAULT].templates),
    )


def _accepted_here(base: Base) -> dict[str, str]:
    """What this change accepts: what the base accepted already was for another change."""
    path = GOLDEN / ACCEPTED
    try:
        entries = yaml.safe_load(path.read_text()) if path.exists() else []
        accepted = [(str(entry["finding"]), str(entry["reason"] or "").strip()) for entry in entries or []]
    except (yaml.YAMLError, TypeError, KeyError):
        raise UsageError(f"tests/golden/{ACCEPTED} is no list of entries with `finding` and `reason`") from None
    for finding, reason in accepted:
        if reason in ("", "..."):
            raise UsageError(f"tests/golden/{ACCEPTED}: {finding!r} has no reason: say why it is meant")
    before = [(entry.get("finding"), str(entry.get("reason")).strip()) for entry in base.accepted]
    return {finding: reason for finding, reason in accepted if (finding, reason) not in before}


def _details(before: Templates, after: Templates) -> dict[str, str]:
    """What `cdk diff` prints for each stack that differs. A stack that is gone is not in the app, which it wants."""
    details = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for stack in sorted({*before, *after}):
            if before.get(stack) == after.get(stack):
                continue
            if stack not in after:
                details[stack] = "The whole stack is removed."
                continue
            old, new = directory / "old.yaml", directory / "new"
            old.write_text(as_yaml(before.get(stack, {"Resources": {}})))
            _write_assembly(new, stack, json.dumps(after[stack]))
            command = ["cdk", "diff", stack, "--app", str(new), "--template", str(old), "--no-color"]
            bare = {name: value for name, value in environment_with_tools().items() if not name.startswith("AWS_")}
            done = subprocess.run(command, cwd=directory, env=bare, capture_output=True, text=True, check=False)
            lines = (done.stdout + done.stderr).splitlines()
            details[stack] = "\n".join(line for line in lines if not line.startswith("✨")).strip()
    return details


def _write_assembly(directory: Path, stack: str, template: str) -> None:
    """A cloud assembly of one template, which is what the CLI takes for an app that was synthesized."""
    directory.mkdir(exist_ok=True)
    (directory / "template.json").write_text(template)
    artifact = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/unknown-region",
        "properties": {"templateFile": "template.json"},
    }
    (directory / "manifest.json").write_text(json.dumps({"version": "36.0.0", "artifacts": {stack: artifact}}))


def _kinds(text: str) -> list[str]:
    if text in ("any", "none"):
        return list(WHY) if text == "any" else []
    kinds = text.split(",")
    for kind in kinds:
        if kind not in WHY:
            raise argparse.ArgumentTypeError(f"{kind!r} is no kind of finding: they are {', '.join(WHY)}, any, none")
    return kinds


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--base", default="origin/main", help="what to compare with (default: %(default)s)")
    options.add_argument("--markdown", metavar="FILE", type=Path, help="write the review as Markdown, too")
    options.add_argument(
        "--fail-on",
        metavar="KINDS",
        type=_kinds,
        default=list(WHY),
        help=f"which open findings make the exit status 1, with commas: any (default), none, {', '.join(WHY)}",
    )
    return options.parse_args()


if __name__ == "__main__":
    run(main)

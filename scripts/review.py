# PYTHON_ARGCOMPLETE_OK
"""Report what a change does in AWS, offline and without credentials.

Compares what the working tree deploys with what a base commit deploys, for many combinations of settings. Findings that
need a decision come first. To accept an intended one, add an entry to tests/golden/accepted.yaml in the same change.
Exit status: 0 nothing is left to decide, 1 a finding needs a decision, 2 called wrongly, or they cannot be compared.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
from pathlib import Path

from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import parser
from hello_queue.errors import UsageError
from hello_queue.project import ROOT
from hello_queue.review.findings import WHY
from hello_queue.review.report import as_markdown, as_text, failure_as_markdown
from hello_queue.review.working_tree import review_working_tree

EXAMPLES = """\
  python scripts/review.py                        against origin/main
  python scripts/review.py --base HEAD~1          against the last commit
  python scripts/review.py --markdown review.md   also as Markdown
  python scripts/review.py --fail-on data-loss,exposed-secret
                                                  exit with 1 for these only"""


def main(root: Path = ROOT) -> int:
    arguments = _parse()
    _write(arguments.markdown, failure_as_markdown("it was interrupted"))
    try:
        review = review_working_tree(arguments.base, root, isolated=not arguments.trust)
    except Exception as error:
        _write(arguments.markdown, failure_as_markdown(f"{error}" or type(error).__name__))
        raise
    print(as_text(review), end="")
    _write(arguments.markdown, as_markdown(review))
    return FAILED if any(finding.kind in arguments.fail_on for finding in review.open) else DONE


def _write(file: Path | None, text: str) -> None:
    if file:
        try:
            file.write_text(text)
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}") from None


def _kinds(text: str) -> list[str]:
    if text in ("any", "none"):
        return list(WHY) if text == "any" else []
    kinds = text.split(",")
    for kind in kinds:
        if kind not in WHY:
            raise argparse.ArgumentTypeError(
                f"unknown kind of finding {kind!r}: choose from {', '.join(WHY)}, any, none"
            )
    return kinds


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--base", default="origin/main", help="the commit to compare with (default: %(default)s)")
    options.add_argument("--markdown", metavar="FILE", type=Path, help="also write the review as Markdown")
    options.add_argument(
        "--trust",
        action="store_true",
        help="run the code under review with your variables, network and files, as a worker's requirements need them",
    )
    options.add_argument(
        "--fail-on",
        metavar="KINDS",
        type=_kinds,
        default=list(WHY),
        help="the kinds of findings that need a decision for the exit status to be 1, separated by commas: "
        f"any (default), none, {', '.join(WHY)}",
    )
    return options.parse_args()


if __name__ == "__main__":
    run(main)

# PYTHON_ARGCOMPLETE_OK
"""Rehearse a change in a local AWS: deploy the base, the change over it, and report what happens.

The real CDK CLI deploys the base, then the change of the working tree over it, while one client sends and another one
processes. It needs no AWS account and no network, and takes about a minute. Each line has what was seen, and what
the review (`review.py`) says; where the two disagree, that is the first line.
Exit status: 0 they agree, 1 they disagree, or the base or the change does not deploy, 2 there is no such base.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from hello_queue.aws.clients import is_local
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import parser
from hello_queue.cli.progress import report
from hello_queue.errors import HelloQueueError, UsageError
from hello_queue.project import ROOT
from hello_queue.rehearsal.observations import observations
from hello_queue.rehearsal.predictions import in_background, predictions
from hello_queue.rehearsal.rehearse import rehearse
from hello_queue.rehearsal.report import Rehearsal, as_json, as_markdown, as_text, failure_as_markdown
from hello_queue.rehearsal.trees import Tree
from hello_queue.review.base import check_out, merge_base

EXAMPLES = """\
  python scripts/rehearse.py                           against origin/main
  python scripts/rehearse.py --base HEAD~1             against the last commit
  python scripts/rehearse.py --markdown rehearsal.md   also as Markdown"""

SCRIPTS = Path(__file__).resolve().parent


def main(root: Path = ROOT) -> int:
    arguments = _parse()
    _write(arguments.markdown, failure_as_markdown("it was interrupted"))
    commit = merge_base(arguments.base, root)
    if not arguments.here:
        _start_local_aws()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        rehearsal = _rehearse(commit, root)
    except HelloQueueError as error:
        _write(arguments.markdown, failure_as_markdown(str(error)))
        raise
    print(as_json(rehearsal) if arguments.json else as_text(rehearsal), end="")
    _write(arguments.markdown, as_markdown(rehearsal))
    return DONE if rehearsal.deploys and not rehearsal.disagreements else FAILED


def _write(file: Path | None, text: str) -> None:
    if file:
        try:
            file.write_text(text)
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}") from None


def _start_local_aws() -> NoReturn:
    """Run this script again, in a local AWS. That ends every process that the script started, however it ends."""
    report("starting a local AWS")
    script = [sys.executable, str(SCRIPTS / "rehearse.py"), "--here", *sys.argv[1:]]
    command = [sys.executable, str(SCRIPTS / "local_aws.py"), "--", *script]
    os.execv(sys.executable, command)  # noqa: S606  (this script's own arguments, and no shell)


def _rehearse(commit: str, root: Path) -> Rehearsal:
    if not is_local(os.environ.get("AWS_ENDPOINT_URL", "")):
        raise HelloQueueError("AWS_ENDPOINT_URL is not a local AWS: leave out --here")
    begun = time.monotonic()
    # All temporary files, the review's too, are in the local AWS's own folder: it is removed however this process ends.
    folder = Path(os.environ["AWS_CONFIG_FILE"]).parents[1]
    with tempfile.TemporaryDirectory(dir=folder, prefix="rehearsal-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        os.environ["TMPDIR"] = tempfile.tempdir = name
        files = work / "files"
        files.mkdir()
        check_out(commit, root, files)
        report("synthesizing the base and the change")
        before, after = Tree("the base", files, work / "before"), Tree("the change", root, work / "after")
        review = in_background(lambda: predictions(commit, before.synthesis, after.synthesis))
        seen, said = rehearse(before, after, review, report)
    deploys = seen.change.failure is None
    return Rehearsal(commit, observations(seen, said), time.monotonic() - begun, deploys)


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--base", default="origin/main", help="the commit to deploy first (default: %(default)s)")
    options.add_argument("--json", action="store_true", help="print the rehearsal as JSON")
    options.add_argument("--markdown", metavar="FILE", type=Path, help="also write the rehearsal as Markdown")
    # In a local AWS that is running: for the tests, which share one, and for this script itself.
    options.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return options.parse_args()


if __name__ == "__main__":
    run(main)

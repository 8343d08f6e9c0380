# PYTHON_ARGCOMPLETE_OK
"""Write the templates that reviewers read to tests/golden: what `cdk synth` generates from the settings, as YAML.

`default` has the stacks with the default settings; every other folder has the stacks that change with the setting it is
named after. acknowledgments.yaml lists each acknowledged cdk-nag finding with its reason.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import sys

from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import parser
from hello_queue.cli.terminal import printable
from hello_queue.errors import UsageError
from hello_queue.project import ROOT
from hello_queue.review.synthesis import GOLDEN, VARIANTS, RefusedError, stale_files, synthesize

EXAMPLES = """\
  python scripts/golden.py           write the templates (`make golden`)
  python scripts/golden.py --check   only check whether they are up to date"""


def main() -> int:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument(
        "--check", action="store_true", help="write nothing; exit with status 1 if a file is out of date"
    )
    arguments = options.parse_args()
    syntheses = synthesize(VARIANTS, isolated=False)
    for variant, refused in syntheses.items():
        if isinstance(refused, RefusedError):
            raise UsageError(f"the app fails with {variant}: {refused}")
    stale = stale_files(syntheses, ROOT)
    if arguments.check:
        for name in stale:
            print(f"{GOLDEN}/{printable(name)} is out of date: run `make golden`", file=sys.stderr)
        return FAILED if stale else DONE
    for name, text in stale.items():
        path = ROOT / GOLDEN / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        print(f"{'removed' if text is None else 'wrote'} {GOLDEN}/{printable(name)}")
    return DONE


if __name__ == "__main__":
    run(main)

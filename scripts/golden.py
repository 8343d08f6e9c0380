"""Write the templates that reviewers read to tests/golden: what `cdk synth` generates from the settings, as YAML.

`default` has the stacks with the default settings; every other folder has the stacks that change with the setting it is
named after. acknowledgments.yaml lists each acknowledged cdk-nag finding with its reason.
"""

from __future__ import annotations

import sys

from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import parser
from hello_queue.cli.terminal import printable
from hello_queue.project import ROOT
from hello_queue.review.base import ACCEPTED
from hello_queue.review.synthesis import GOLDEN, render, synthesize

EXAMPLES = """\
  python scripts/golden.py            write the templates (`make golden`)
  python scripts/golden.py --check    only check whether they are up to date"""


def main() -> int:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument(
        "--check", action="store_true", help="write nothing; exit with status 1 if a file is out of date"
    )
    arguments = options.parse_args()
    fresh = render(synthesize())
    folder = ROOT / GOLDEN
    existing = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.yaml")}
    existing.pop(ACCEPTED, None)
    stale = sorted(name for name in fresh.keys() | existing.keys() if fresh.get(name) != existing.get(name))
    if arguments.check:
        for name in stale:
            print(f"{GOLDEN}/{printable(name)} is out of date: run `make golden`", file=sys.stderr)
        return FAILED if stale else DONE
    for name in stale:
        path = folder / name
        if name in fresh:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fresh[name])
        else:
            path.unlink()
        print(f"{'wrote' if name in fresh else 'removed'} {GOLDEN}/{printable(name)}")
    return DONE


if __name__ == "__main__":
    run(main)

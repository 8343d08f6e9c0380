"""Write the templates that reviewers read, as YAML, to tests/golden: what `cdk synth` makes of the settings.

The folder `default` has the templates of the default settings. For each setting that changes rights or resources,
another folder has the stacks that it changes. acknowledgments.yaml lists every acknowledged cdk-nag finding with its
reason.
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
  python scripts/golden.py            write them (`make golden`)
  python scripts/golden.py --check    only report which are stale"""


def main() -> int:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    arguments = options.parse_args()
    fresh = render(synthesize())
    folder = ROOT / GOLDEN
    existing = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.yaml")}
    existing.pop(ACCEPTED, None)
    stale = sorted(name for name in fresh.keys() | existing.keys() if fresh.get(name) != existing.get(name))
    if arguments.check:
        for name in stale:
            print(f"{GOLDEN}/{printable(name)} is stale: run `make golden`", file=sys.stderr)
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

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
    there = {str(path.relative_to(GOLDEN)): path.read_text() for path in GOLDEN.rglob("*.yaml")}
    there.pop("accepted.yaml", None)
    stale = sorted(name for name in fresh.keys() | there.keys() if fresh.get(name) != there.get(name))
    if arguments.check:
        for name in stale:
            print(f"tests/golden/{name} is out of date: run `make golden`", file=sys.stderr)
        return FAILED if stale else DONE
    for name in stale:
        path = GOLDEN / name
        if name in fresh:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fresh[name])
        else:
            path.unlink()
        print(f"{'wrote' if name in fresh else 'removed'} tests/golden/{name}")
    return DONE


if __name__ == "__main__":
    run(main)

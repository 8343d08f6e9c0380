"""Check that a deployment works: compare AWS with what the stacks declare, then send a message through the queue.

The test message is sent only if the queue has no messages, visible, in flight or delayed. Every receive counts toward a
message's maxReceiveCount, so looking for the test message among others would in the end move the others to the
dead-letter queue. If the queue has messages, the delivery check is skipped and all other checks are made. Messages that
others send while it runs are received once at most, and are visible again when it ends.

The test message is deleted. If it cannot be, its id is printed. Its author is smoke_test.py: a consumer that is running
may receive it first.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import dataclasses
import json

from hello_queue.checks.deployment import deployment_checks
from hello_queue.checks.model import Check
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import number, parser
from hello_queue.cli.progress import tell
from hello_queue.cli.terminal import printable

EXAMPLES = """\
  python scripts/smoke_test.py                          the default deployment
  python scripts/smoke_test.py --deployment staging     another deployment
  python scripts/smoke_test.py --longest-delay 0        send no message to a queue with a delay
  python scripts/smoke_test.py --json                   for a program"""

_MARKS = {True: "ok", False: "FAILED", None: "skipped"}


def main() -> int:
    arguments = _parse()
    checks = list(
        deployment_checks(
            arguments.deployment, timeout=arguments.timeout, longest_delay=arguments.longest_delay, report=tell
        )
    )
    failed = sum(check.passed is False for check in checks)
    if arguments.json:
        print(json.dumps({"passed": not failed, "checks": [dataclasses.asdict(check) for check in checks]}, indent=2))
    else:
        _print_table(checks)
        passed = sum(check.passed is True for check in checks)
        print(f"{passed} checks passed, {failed} failed, {len(checks) - passed - failed} skipped")
    return FAILED if failed else DONE


def _print_table(checks: list[Check]) -> None:
    """Print a line for each check with what was found, and for a failed or skipped one what was expected."""
    width = max(len(check.name) for check in checks)
    print(f"{'':8}{'check':<{width}}  found")
    for check in checks:
        found = check.found if check.passed else f"{check.found}   (expected: {check.expected})"
        print(printable(f"{_MARKS[check.passed]:<8}{check.name:<{width}}  {found}"))


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument(
        "--deployment", metavar="NAME", default="", help="the deployment's name (default: the one without a name)"
    )
    options.add_argument("--json", action="store_true", help="print the checks as JSON")
    options.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=number(1, 600),
        default=30,
        help="how long to wait for the test message after its delay, 1 to 600 (default: %(default)s)",
    )
    options.add_argument(
        "--longest-delay",
        metavar="SECONDS",
        type=number(0, 900),
        default=60,
        help="send no test message if the queue's delay is longer, 0 to 900 (default: %(default)s)",
    )
    return options.parse_args()


if __name__ == "__main__":
    run(main)

# PYTHON_ARGCOMPLETE_OK
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
from hello_queue.cli.options import deployment_name, number, parser
from hello_queue.cli.progress import report
from hello_queue.cli.smoke_screen import print_checks

EXAMPLES = """\
  python scripts/smoke_test.py                        the default deployment
  python scripts/smoke_test.py --wait 120             right after `cdk deploy`
  python scripts/smoke_test.py --deployment staging   another deployment
  python scripts/smoke_test.py --longest-delay 0      send no message to a queue
                                                      with a delay
  python scripts/smoke_test.py --json                 for a program"""


def main() -> int:
    arguments = _parse()
    checks = list(
        deployment_checks(
            arguments.deployment,
            timeout=arguments.timeout,
            longest_delay=arguments.longest_delay,
            report=report,
            wait=arguments.wait,
        )
    )
    passed = not any(check.passed is False for check in checks)
    if arguments.json:
        print(json.dumps({"passed": passed, "checks": [_as_json(check) for check in checks]}, indent=2))
    else:
        print_checks(checks, verbose=arguments.verbose)
    return DONE if passed else FAILED


def _as_json(check: Check) -> dict[str, object]:
    values = dataclasses.asdict(check)
    values["may_be_late"] = values.pop("settles") > 0 and not check.passed
    return values


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument(
        "--deployment",
        metavar="NAME",
        type=deployment_name,
        default="",
        help="the deployment's name (default: the one without a name)",
    )
    times = options.add_argument_group("how long to wait")
    times.add_argument(
        "--wait",
        metavar="SECONDS",
        type=number(0, 3_600),
        default=0,
        help="for what was just deployed and is not known everywhere in AWS yet, in all. What is wrong fails at once",
    )
    times.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=number(1, 600),
        default=30,
        help="for the test message, after its delay",
    )
    times.add_argument(
        "--longest-delay",
        metavar="SECONDS",
        type=number(0, 900),
        default=60,
        help="send no test message if the queue's delay is longer",
    )
    output = options.add_argument_group("output")
    output.add_argument("--verbose", action="store_true", help="show what was found also where nothing is wrong")
    output.add_argument("--json", action="store_true", help="print the checks as JSON")
    return options.parse_args()


if __name__ == "__main__":
    run(main)

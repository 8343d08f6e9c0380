"""Prove that a deployment works: compare what is in AWS with what was declared, then send a message through the queue.

It leaves nothing behind. The queue may be in use: only the test's own message is deleted.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import dataclasses
import json
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.clients import client
from hello_queue.checks.delivery import delivery_checks
from hello_queue.checks.identity import identity_checks
from hello_queue.checks.messaging import messaging_checks
from hello_queue.checks.model import Check, failure
from hello_queue.checks.rights import rights_checks, users_key
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import number, parser
from hello_queue.constants import IDENTITY_STACK, MESSAGING_STACK
from hello_queue.deployment.stacks import DeployedStack

EXAMPLES = """\
  python scripts/smoke_test.py                          the default deployment
  python scripts/smoke_test.py --deployment staging     another one
  python scripts/smoke_test.py --json                   for a program"""

_MARKS = {True: "ok", False: "FAILED", None: "skipped"}


def main() -> int:
    arguments = _parse()
    checks = list(smoke_test(arguments))
    failed = sum(made.passed is False for made in checks)
    if arguments.json:
        print(json.dumps({"passed": not failed, "checks": [dataclasses.asdict(made) for made in checks]}, indent=2))
    else:
        print_table(checks)
        passed = sum(made.passed is True for made in checks)
        print(f"{passed} checks passed, {failed} failed, {len(checks) - passed - failed} skipped")
    return FAILED if failed else DONE


def smoke_test(arguments: argparse.Namespace) -> Iterator[Check]:
    """All checks, in order. They need the rights of whoever deployed."""
    cloudformation = client("cloudformation")
    messaging = DeployedStack(cloudformation, MESSAGING_STACK, arguments.deployment)
    identity = DeployedStack(cloudformation, IDENTITY_STACK, arguments.deployment)
    key = None
    yield from _group("identity", identity_checks(client("iam"), identity))
    yield from _group("messaging", messaging_checks(client("sqs"), messaging))
    if "AccessKeySecretArn" in identity.outputs:
        key, made = users_key(identity)
        yield made
    yield from _group("rights", rights_checks(identity, messaging, key))
    declared = messaging.resource("AWS::SQS::Queue", QueueName=messaging.outputs["QueueName"]).properties
    delivery = delivery_checks(
        client("sqs", key=key),
        messaging.outputs["QueueUrl"],
        delay=declared["DelaySeconds"],
        max_receive_count=declared["RedrivePolicy"]["maxReceiveCount"],
        patience=arguments.patience,
        longest_delay=arguments.longest_delay,
    )
    yield from _group("delivery", delivery)


def _group(subject: str, checks: Iterator[Check]) -> Iterator[Check]:
    """The checks. What keeps them from being made is a check that failed, so that the others are made all the same."""
    try:
        yield from checks
    except (ClientError, BotoCoreError) as error:
        yield failure(f"{subject} as a whole", "can be checked", error)


def print_table(checks: list[Check]) -> None:
    """One line a check, with what was found; what was expected where that is something else."""
    width = max(len(made.name) for made in checks)
    print(f"{'':8}{'check':<{width}}  found (as expected, unless it says otherwise)")
    for made in checks:
        found = made.found if made.passed else f"{made.found}   (expected: {made.expected})"
        print(f"{_MARKS[made.passed]:<8}{made.name:<{width}}  {found}")


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument(
        "--deployment", metavar="NAME", default="", help="which deployment (default: the one without a name)"
    )
    options.add_argument("--json", action="store_true", help="print the checks as JSON")
    options.add_argument(
        "--patience",
        metavar="SECONDS",
        type=number(1, 600),
        default=30,
        help="how long to look for the message after its delay (default: %(default)s)",
    )
    options.add_argument(
        "--longest-delay",
        metavar="SECONDS",
        type=number(0, 900),
        default=60,
        help="send no message where the queue's delay is longer (default: %(default)s)",
    )
    return options.parse_args()


if __name__ == "__main__":
    run(main)

"""Command-line options that several scripts take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from hello_queue.aws.clients import client
from hello_queue.aws.errors import is_no_such_queue
from hello_queue.cli.terminal import printable
from hello_queue.constants import MESSAGING_STACK
from hello_queue.deployment.stacks import DeployedStack
from hello_queue.errors import HelloQueueError, UsageError

DEFAULT_QUEUE = "test"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse quotes arguments as they are; Python's own line breaks are none of the message.
        super().error(printable(message))


def parser(description: str, examples: str) -> argparse.ArgumentParser:
    """A parser whose --help shows the script's docstring and its examples as they are written."""
    return _Parser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=f"examples:\n{examples}"
    )


def add_queue_options(options: argparse.ArgumentParser) -> None:
    """The three ways to say which queue is meant."""
    group = options.add_argument_group("which queue (one of these)").add_mutually_exclusive_group()
    group.add_argument("--queue", metavar="NAME", default=DEFAULT_QUEUE, help="by its name (default: %(default)s)")
    group.add_argument("--queue-url", metavar="URL", help="by its URL")
    group.add_argument(
        "--deployment",
        metavar="NAME",
        help='by the stack output of a deployment ("" is the default one); needs the right to read stacks',
    )


def add_load_options(options: argparse.ArgumentParser, group: Any, *, concurrency: int, unit: str, stats: int) -> None:
    """What the scripts that work through many messages have in common."""
    group.add_argument(
        "--concurrency",
        metavar="N",
        type=number(1, 100),
        default=concurrency,
        help=f"how many {unit}, at the most (default: %(default)s)",
    )
    group.add_argument(
        "--processes", metavar="N", type=number(1, 64), default=1, help="for more than one core's work (default: 1)"
    )
    group.add_argument(
        "--retry-timeout",
        metavar="SECONDS",
        type=number(0, 86_400),
        default=60,
        help="how long to retry calls that fail with a transient error, such as throttling (default: %(default)s)",
    )
    group.add_argument(
        "--stats",
        metavar="SECONDS",
        type=number(0, 86_400),
        default=stats,
        help="say how it goes every so often (default: %(default)s; 0: never)",
    )
    options.add_argument("--json", action="store_true", help="say the result as JSON")


def queue_url(sqs: Any, arguments: argparse.Namespace) -> str:
    """The URL of the queue that the options mean.

    Raises:
        UsageError: the name or the URL cannot be one of a queue.
        HelloQueueError: there is no such queue or no such deployment.
    """
    if arguments.queue_url is not None:
        if not arguments.queue_url.startswith(("https://", "http://")):
            raise UsageError(f"--queue-url {arguments.queue_url!r} is no URL: it starts with https://")
        return str(arguments.queue_url)
    if arguments.deployment is not None:
        return DeployedStack(client("cloudformation"), MESSAGING_STACK, arguments.deployment).outputs["QueueUrl"]
    if not arguments.queue:
        raise UsageError("--queue '' is empty: give the name of a queue")
    try:
        return str(sqs.get_queue_url(QueueName=arguments.queue)["QueueUrl"])
    except ClientError as error:
        if not is_no_such_queue(error):
            raise
        raise HelloQueueError(
            f"there is no queue {arguments.queue!r} in {sqs.meta.region_name}: check --queue (a FIFO queue's ends in "
            ".fifo), AWS_PROFILE and the region, or deploy it with `npx cdk deploy --all`"
        ) from None


def number(minimum: int, maximum: int) -> Callable[[str], int]:
    """An argparse type: a whole number within a range, ends included."""

    def parse(text: str) -> int:
        try:
            value = int(text) if text.isascii() else minimum - 1
        except ValueError:
            value = minimum - 1
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {minimum:,} to {maximum:,}")
        return value

    return parse

"""Command-line options that several scripts take."""

from __future__ import annotations

import argparse
import itertools
import os
import re
import sys
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.exceptions import ClientError

from hello_queue.aws.clients import client
from hello_queue.aws.errors import is_no_such_queue
from hello_queue.cli.terminal import printable
from hello_queue.constants import MESSAGING_STACK
from hello_queue.deployment.stacks import DeployedStack
from hello_queue.errors import HelloQueueError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

DEFAULT_QUEUE = "test"

Group = Any
"""What `add_argument_group` returns, which argparse does not name."""


class _Parser(argparse.ArgumentParser):
    def parse_args(self, *args: Any, **kwargs: Any) -> Any:
        if "_ARGCOMPLETE" in os.environ:  # a shell asks what Tab offers; nobody else waits for this import
            import argcomplete

            argcomplete.autocomplete(self)
        for argument in itertools.takewhile(lambda each: each != "--", sys.argv[1:]):
            if argument.startswith("--") and argument.endswith("=--"):  # argparse would drop the value without a word
                self.error(f"argument {argument[:-3]}: '--' is not a value")
        return super().parse_args(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        # One line, without the usage. argparse quotes foreign arguments unescaped.
        self.exit(2, f"{self.prog}: {printable(message)} (--help lists the options)\n")


class _Formatter(argparse.HelpFormatter):
    """Fills paragraphs to the width of the terminal, and keeps blocks of indented lines. An option that takes a number
    ends in its range and default."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks = text.strip().split("\n\n")
        return "\n\n".join(block if "\n  " in block else "\n".join(_wrapped(block, width)) for block in blocks)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(text, width)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if not isinstance(action.type, _Number):
            return action.help
        unit = " s" if action.metavar == "SECONDS" else ""
        default = "" if action.default is None else f"; default: {action.default:,}{unit}"
        return f"{action.help} ({action.type.range}{unit}{default})"


def _wrapped(text: str, width: int) -> list[str]:
    """Unlike argparse, this keeps names with hyphens whole."""
    return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


def parser(description: str, examples: str, epilog: str = "") -> argparse.ArgumentParser:
    """A parser whose --help shows the first paragraph of the script's docstring, examples, the options, then the rest.

    Args:
        epilog: shown last.
    """
    paragraph, _, rest = description.partition("\n\n")
    return _Parser(
        description=f"{paragraph}\n\nexamples:\n{examples}",
        formatter_class=_Formatter,
        epilog=f"{rest.strip()}\n\n{epilog}",
    )


def add_queue_options(options: argparse.ArgumentParser) -> None:
    """The three ways to choose a queue."""
    group = options.add_argument_group("which queue (one of these)").add_mutually_exclusive_group()
    group.add_argument(
        "--queue", metavar="NAME", type=queue_name, default=DEFAULT_QUEUE, help="its name (default: %(default)s)"
    )
    group.add_argument("--queue-url", metavar="URL", type=url, help="its URL")
    group.add_argument(
        "--deployment",
        metavar="NAME",
        type=deployment_name,
        help='the queue of this deployment; "" is the default one. Needs the right to read its stack',
    )


def add_load_options(options: argparse.ArgumentParser, *, concurrency: int, unit: str) -> Group:
    """Options of the scripts that work through many messages. Returns their group.

    Args:
        unit: what --concurrency limits.
    """
    group = options.add_argument_group("how much at once, and how long")
    group.add_argument(
        "--concurrency",
        metavar="N",
        type=number(1, 1_000),
        default=concurrency,
        help=f"the most {unit}",
    )
    group.add_argument(
        "--retry-timeout",
        metavar="SECONDS",
        type=number(0, 86_400),
        default=60,
        help="how long to retry calls that fail with a transient error, such as throttling",
    )
    return group


def add_output_options(options: argparse.ArgumentParser, *, stats: int) -> Group:
    """How to report. Returns the group.

    Args:
        stats: the default of --stats, in seconds.
    """
    group = options.add_argument_group("output")
    group.add_argument(
        "--stats",
        metavar="SECONDS",
        type=number(0, 86_400),
        default=stats,
        help="how often to report progress, where no bar shows it; 0: never",
    )
    group.add_argument("--json", action="store_true", help="print the result as JSON")
    return group


def queue_url(sqs: SQSClient, arguments: argparse.Namespace) -> str:
    """The URL of the queue that the options of `add_queue_options` choose.

    Raises:
        HelloQueueError: there is no such queue or no such deployment.
    """
    if arguments.queue_url is not None:
        return str(arguments.queue_url)
    if arguments.deployment is not None:
        return DeployedStack(client("cloudformation"), MESSAGING_STACK, arguments.deployment).outputs["QueueUrl"]
    try:
        return str(sqs.get_queue_url(QueueName=arguments.queue)["QueueUrl"])
    except ClientError as error:
        if not is_no_such_queue(error):
            raise
        raise HelloQueueError(
            f"there is no queue {arguments.queue!r} in {sqs.meta.region_name}: check --queue (the name of a FIFO queue "
            "ends in .fifo), AWS_PROFILE and the region, or deploy it with `npx cdk deploy --all`"
        ) from None


@dataclass(frozen=True)
class _Number:
    minimum: int
    maximum: int

    @property
    def range(self) -> str:
        return f"{self.minimum:,} to {self.maximum:,}"

    def __call__(self, text: str) -> int:
        # Not int() alone, which takes 1_000, spaces, and the digits of other scripts.
        valid = re.fullmatch(r"-?[0-9]{1,20}", text)
        if not valid or not self.minimum <= int(text) <= self.maximum:
            raise argparse.ArgumentTypeError(f"{text[:60]!r} is not a whole number from {self.range}")
        return int(text)


def number(minimum: int, maximum: int) -> Callable[[str], int]:
    """An argparse type: a whole number from ``minimum`` to ``maximum``."""
    return _Number(minimum, maximum)


def _matching(expression: str, text: str, valid: str, *, shown: int = 100) -> str:
    """The text, if it matches.

    Args:
        valid: what it must be.
        shown: how many characters of an invalid text to show.
    """
    if not re.fullmatch(expression, text):
        raise argparse.ArgumentTypeError(f"{text[:shown]!r} is not {valid}")
    return text


def queue_name(text: str) -> str:
    """An argparse type: the name of a queue.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html"""
    return _matching(
        r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo",
        text,
        "the name of a queue: 1 to 80 letters, digits, - and _; a FIFO queue's ends in .fifo",
    )


def url(text: str) -> str:
    """An argparse type: a URL."""
    return _matching(r"https?://[!-~]+", text, "a URL: it must begin with https://")


def deployment_name(text: str) -> str:
    """An argparse type: the name of a deployment, which begins the names of its stacks. Empty: the default one.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-using-console-create-stack-parameters.html"""
    return _matching(
        r"([A-Za-z][A-Za-z0-9-]{0,19})?",
        text,
        "the name of a deployment: up to 20 letters, digits and -, beginning with a letter",
    )


def message_id(text: str) -> str:
    """An argparse type: the id of a message.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html"""
    return _matching(
        r"[!-~]{1,100}",
        text,
        "the id of a message: 1 to 100 ASCII characters, as redrive.py shows it",
        shown=60,
    )


def secret_name(text: str) -> str:
    """An argparse type: the name or ARN of a secret.
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html"""
    return _matching(
        r"[A-Za-z0-9/_+=.@:-]{1,2048}",
        text,
        "the name or ARN of a secret: 1 to 2,048 letters, digits and /_+=.@:-",
        shown=60,
    )


def region_name(text: str) -> str:
    """An argparse type: a region."""
    return _matching(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}", text, "an AWS region such as us-east-1", shown=60)


def profile_name(text: str) -> str:
    """An argparse type: a profile."""
    if not text:
        raise argparse.ArgumentTypeError("'' is empty: give the name of a profile, or leave the option out")
    return text


def pattern(text: str) -> re.Pattern[str]:
    """An argparse type: a regular expression."""
    if not text:
        raise argparse.ArgumentTypeError("'' is empty, and every message would match: leave the option out for all")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a future Python may understand differently
            return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not a regular expression: {error}") from None


def field_value(text: str) -> tuple[str, str]:
    """An argparse type: the name of a field of a JSON object, and its value."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not of the form FIELD=VALUE, as in status=new")
    return name, value

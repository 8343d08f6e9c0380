"""Process the queue: print each message's body and its author (if set), then delete it. Or have your own function do
it.

A message is deleted only after it was handled. One that was handled but not yet deleted when this is killed comes again
after the queue's visibility timeout. Ctrl-C or SIGTERM: what is being handled is finished, the rest is given back.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import contextlib
import functools
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from hello_queue.aws.clients import client
from hello_queue.cli.interrupts import finish_first
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import add_load_options, add_queue_options, number, parser, queue_url
from hello_queue.cli.progress import tell
from hello_queue.cli.terminal import printable
from hello_queue.errors import UsageError
from hello_queue.sqs.consumers import ConsumerConfig, Consumers
from hello_queue.sqs.handlers import CannotGoOn, Handler, Message, NoSuchHandler, load_handler
from hello_queue.sqs.periodic import every
from hello_queue.sqs.thread_pool import calm_threads

UNHIDDEN_SECONDS = 30
"""The visibility timeout where the queue's is 0, which would hand out each message again and again."""

EXAMPLES = """\
  python scripts/process.py                     until the queue has been empty for 20 seconds
  python scripts/process.py --count 1           one message
  python scripts/process.py --forever --handler orders:book --concurrency 16 --stats 60
                                                each message to the function book in orders.py, until stopped

a handler takes a message (.body, .author, .attributes, .id, .receive_count, .sent_at, .group) and returns when it is
done; scripts/hello_queue/sqs/handlers.py documents what it may raise"""


def main() -> int:
    arguments = _parse()
    calm_threads()
    sqs = client("sqs")
    url = queue_url(sqs, arguments)
    consumers = Consumers(_how(arguments, sqs, url), functools.partial(_load, arguments.handler), arguments.processes)
    began = time.monotonic()

    def say() -> None:
        counts = consumers.counts()
        seconds = time.monotonic() - began
        tell(json.dumps({**counts, "seconds": round(seconds, 1)}) if arguments.json else _told(counts, seconds))

    with contextlib.ExitStack() as stack:
        interrupts = stack.enter_context(finish_first(consumers.stop, lambda: _told(consumers.counts(), None)))
        stack.enter_context(every(arguments.stats, say))
        try:
            finished = consumers.run(arguments.grace)
        finally:
            if arguments.json:
                say()
            else:
                tell(_told(consumers.counts(), None))
    if interrupts.signum is not None:
        return DONE if finished else FAILED
    return DONE


def print_message(message: Message) -> None:
    """Print the message's body and its author (if set)."""
    text = message.body if message.author is None else f"{message.body} (author: {message.author})"
    try:
        with _PRINTING:
            sys.stdout.write(f"{printable(text) if sys.stdout.isatty() else text}\n")
            sys.stdout.flush()
    except OSError as error:
        raise CannotGoOn from error


_PRINTING = threading.Lock()


def _load(name: str | None) -> Handler:
    if name is None:
        return print_message
    sys.path[0] = str(Path.cwd())  # a handler is looked for in the current folder first, as by `python -m`
    try:
        return load_handler(name)
    except NoSuchHandler as error:
        raise UsageError(f"--handler: {error}") from None


def _how(arguments: argparse.Namespace, sqs: Any, url: str) -> ConsumerConfig:
    name = "VisibilityTimeout"
    visibility_timeout = int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
    return ConsumerConfig(
        url=url,
        concurrency=arguments.concurrency,
        visibility_timeout=visibility_timeout or UNHIDDEN_SECONDS,
        max_handling_seconds=arguments.max_handling_time,
        limit=arguments.count,
        empty_after=None if arguments.forever else arguments.empty_after,
        patience=arguments.retry_timeout,
        tell=tell,
    )


def _told(counts: dict[str, int], seconds: float | None) -> str:
    told = [f"{counts['processed']:,} processed"]
    told += [
        f"{counts[name]:,} {words}"
        for name, words in (
            ("failed", "failed"),
            ("postponed", "to be tried later"),
            ("lost", "with an expired visibility timeout"),
            ("undeleted", "not deleted"),
            ("given_back", "given back"),
        )
        if counts[name]
    ]
    if seconds:
        told.append(f"{counts['processed'] / seconds:,.0f}/s")
    return ", ".join(told)


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--handler", metavar="MODULE:FUNCTION", help="what handles a message (default: it is printed)")
    ends = options.add_mutually_exclusive_group()
    ends.add_argument("--count", metavar="N", type=number(1, 1_000_000_000), help="stop after N messages")
    ends.add_argument("--forever", action="store_true", help="do not stop when the queue is empty")
    options.add_argument(
        "--empty-after",
        metavar="SECONDS",
        type=number(0, 86_400),
        default=20,
        help="stop when no message has come for so long (default: %(default)s)",
    )
    add_queue_options(options)
    many = options.add_argument_group("many messages")
    add_load_options(options, many, concurrency=1, unit="messages are handled at once, in each process", stats=0)
    many.add_argument(
        "--max-handling-time",
        metavar="SECONDS",
        type=number(1, 43_200),
        default=43_200,
        help="keep a message no longer than that for its handler; it comes again (default: %(default)s, SQS's limit)",
    )
    many.add_argument(
        "--grace",
        metavar="SECONDS",
        type=number(0, 86_400),
        default=30,
        help="how long handlers may take to finish after Ctrl-C or SIGTERM (default: %(default)s)",
    )
    arguments = options.parse_args()
    if arguments.count is not None and arguments.processes > 1:
        options.error("--count needs --processes 1: nobody counts for several")
    return arguments


if __name__ == "__main__":
    run(main)

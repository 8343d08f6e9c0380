# PYTHON_ARGCOMPLETE_OK
"""Process the messages of a queue: print each message's body and its author (if set), or pass it to your own function,
then delete it.

A message is deleted only after it was handled. One that was handled but not yet deleted when this process is killed is
received again after the queue's visibility timeout. On Ctrl-C or SIGTERM, running handlers finish, and all other
messages return to the queue.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import contextlib
import functools
import gc
import json
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from hello_queue.aws.clients import client
from hello_queue.cli import logs
from hello_queue.cli.interrupts import finish_first
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import add_load_options, add_output_options, add_queue_options, number, parser, queue_url
from hello_queue.cli.progress import Failures, bar, counted, report
from hello_queue.cli.terminal import printable
from hello_queue.errors import HelloQueueError, UsageError
from hello_queue.sqs.consumer_config import ConsumerConfig
from hello_queue.sqs.consumers import Consumers
from hello_queue.sqs.failures import FailureFile
from hello_queue.sqs.handlers import CannotGoOn, Handler, InvalidHandler, Message, load_handler
from hello_queue.sqs.periodic import every
from hello_queue.sqs.queues import attributes, redrive_policy

UNHIDDEN_SECONDS = 30
"""The visibility timeout that replaces a queue's of 0, with which each message would be received again and again."""

EMPTY_AFTER = 20
"""After how many seconds without a message to stop, if nothing else was said."""

EXAMPLES = """\
  python scripts/process.py             until the queue was empty for 20 seconds
  python scripts/process.py --count 1   one message
  python scripts/process.py --forever --handler orders:book --concurrency 16
                                        pass each message to the function book
                                        in ./orders.py, until stopped"""

MORE = """\
A handler takes a message (.body, .author, .attributes, .id, .receive_count, .sent_at, .group) and returns when it is
done. If it raises an exception, sys.exit included, the message has failed and is received again. A handler can also
take a batch of messages. scripts/hello_queue/sqs/handlers.py documents this, and the exceptions with a meaning.

What a handler logs with Python's logging (INFO and above) appears among the records of --forever or --log, in the same
format. With --processes 2 or more, a handler that ends its process (os._exit, a crash in C code) is reported; with one
process, only its exit status shows.

exit status:
  0    all messages were handled and deleted. Also after Ctrl-C or SIGTERM, if
       all running handlers have finished
  1    a handler failed at least once, a message was handled but not deleted,
       or processing stopped because of an error
  2    invalid arguments, or the handler cannot be loaded
  130  interrupted before processing began, or by a second Ctrl-C (143: a second
       SIGTERM), which ends running handlers
  141  the reader of the output went away (a closed pipe)"""


class OutputFailed(CannotGoOn):
    """A message cannot be printed. The argument is the OSError."""


def main() -> int:
    arguments = _parse()
    log: str | None = arguments.log
    if log is not None:
        logs.start(log)
    sqs = client("sqs")
    url = queue_url(sqs, arguments)
    found = attributes(sqs, url)
    failures = Failures()
    plain = failures.report if arguments.processes == 1 else report  # worker processes report for themselves
    consumers = Consumers(
        _config(arguments, found, url),
        functools.partial(_load, arguments.handler, log),
        plain if log is None else logs.report,
        arguments.processes,
        arguments.grace,
    )
    began = time.monotonic()

    def summary() -> str:
        return _summary(consumers.counts())

    def result() -> str:
        return json.dumps({**consumers.counts(), "seconds": round(time.monotonic() - began, 1)})

    def show(text: str) -> None:
        if log is None:
            report(text)
        else:
            logs.LOGGER.info("%s", text, extra=consumers.counts())

    def progress() -> str:
        rate = consumers.counts()["processed"] / max(time.monotonic() - began, 0.001)
        return f"{summary()}{failures.text()}, {rate:,.0f}/s"

    def show_progress() -> contextlib.AbstractContextManager[None]:
        # Without a handler, messages are printed: in a terminal, they would be between the lines of a bar.
        on_terminal = sys.stderr.isatty() and log is None and not arguments.json
        if arguments.handler and arguments.processes == 1 and on_terminal:
            return bar(_expected(arguments, found), lambda: consumers.counts()["processed"], progress)
        in_json = arguments.json and log is None
        return every(arguments.stats, lambda: show(result() if in_json else progress()))

    finished = False
    error: Exception | None = None
    with contextlib.ExitStack() as stack:
        shown = str if log is None else functools.partial(logs.line, log)
        stack.enter_context(finish_first(consumers.stop, summary, shown))
        stack.enter_context(show_progress())
        gc.freeze()  # what exists by now, mostly libraries, stays: looking at it again and again costs a tenth
        try:
            finished = consumers.run()
        except UsageError:
            raise  # nothing was processed
        except Exception as raised:
            error = raised
    if not arguments.json:
        show(summary())
    elif sys.stdout.closed or isinstance(error, OutputFailed):
        show(f"stdout cannot be written, so this is the result: {result()}")
        finished = False
    else:
        print(result())
    if isinstance(error, OutputFailed):
        raise error.args[0]
    if isinstance(error, CannotGoOn):
        raise HelloQueueError(f"the handler cannot go on: {error.reason()}") from error
    if error is not None:
        raise error
    counts = consumers.counts()
    all_done = finished and not (counts["failed"] or counts["undeleted"] or counts["expired"])
    return DONE if all_done else FAILED


def print_message(message: Message) -> None:
    """Print the message's body and its author (if set)."""
    text = message.body if message.author is None else f"{message.body} (author: {message.author})"
    try:
        with _PRINTING:
            sys.stdout.write(f"{printable(text) if sys.stdout.isatty() else text}\n")
            sys.stdout.flush()
    except OSError as error:
        raise OutputFailed(error) from None


_PRINTING = threading.Lock()


def _load(name: str | None, log: str | None) -> Handler:
    """In each process: the handler."""
    if log is not None:
        logs.start(log)  # before the handler's modules, which may log
    if name is None:
        return print_message
    sys.path[0] = str(Path.cwd())  # the current folder comes first, as with `python -m`
    try:
        return load_handler(name)
    except InvalidHandler as error:
        raise UsageError(f"--handler: {error}") from None


def _config(arguments: argparse.Namespace, found: Mapping[str, str], url: str) -> ConsumerConfig:
    failures = None
    if arguments.failures is not None:
        max_receive_count = int(redrive_policy(found).get("maxReceiveCount", 0)) or None
        failures = FailureFile(arguments.failures, arguments.handler or "print", report, max_receive_count)
    return ConsumerConfig(
        url=url,
        concurrency=arguments.concurrency,
        visibility_timeout=int(found["VisibilityTimeout"]) or UNHIDDEN_SECONDS,
        max_handling_seconds=arguments.max_handling_time,
        limit=arguments.count,
        empty_after=None if arguments.forever else arguments.empty_after,
        retry_timeout=arguments.retry_timeout,
        failures=failures,
    )


def _expected(arguments: argparse.Namespace, found: Mapping[str, str]) -> int | None:
    """How many messages there are to process, as far as SQS knows now; None for an unlimited number."""
    if arguments.forever:
        return None
    waiting = int(found["ApproximateNumberOfMessages"])
    return min(waiting, arguments.count or waiting) or None


def _summary(counts: dict[str, int]) -> str:
    parts = [f"{counts['processed']:,} processed"]
    parts += [
        f"{counted(counts[name], 'time')} {words}" if name == "postponed" else f"{counts[name]:,} {words}"
        for name, words in (
            ("failed", "failed"),
            ("postponed", "returned for a later retry"),
            ("expired", "handled after their visibility timeout expired"),
            ("undeleted", "handled but not deleted"),
            ("returned", "returned to the queue"),
        )
        if counts[name]
    ]
    return ", ".join(parts)


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES, MORE)
    handling = options.add_argument_group("what to do with each message")
    handling.add_argument(
        "--handler", metavar="MODULE:FUNCTION", help="pass it to this function (default: print its body and author)"
    )
    handling.add_argument(
        "--failures",
        metavar="FILE",
        help="append a line of JSON to FILE for each failed message, from which redrive.py --failures shows why",
    )
    handling.add_argument(
        "--max-handling-time",
        metavar="SECONDS",
        type=number(1, 43_200),
        default=43_200,
        help="keep it for its handler for this long; after that, it is received again",
    )
    ends = options.add_argument_group("when to stop")
    until = ends.add_mutually_exclusive_group()
    until.add_argument("--count", metavar="N", type=number(1, 1_000_000_000), help="after N messages")
    until.add_argument("--forever", action="store_true", help="not before Ctrl-C or SIGTERM")
    ends.add_argument(
        "--empty-after",
        metavar="SECONDS",
        type=number(0, 86_400),
        help=f"when no message has been received for this long; {EMPTY_AFTER} s without this option",
    )
    ends.add_argument(
        "--grace",
        metavar="SECONDS",
        type=number(0, 86_400),
        default=30,
        help="how long handlers may take to finish after Ctrl-C or SIGTERM",
    )
    add_queue_options(options)
    load = add_load_options(options, concurrency=1, unit="calls of the handler at once in each process")
    load.add_argument(
        "--processes",
        metavar="N",
        type=number(1, 64),
        default=1,
        help="use N processes, for handlers that compute",
    )
    output = add_output_options(options, stats=0)
    output.add_argument(
        "--log",
        choices=sorted(logs.SHAPES),
        help="report on stderr as a log, with times, levels and tracebacks: text, or a JSON object a line "
        "(default: text with --forever, otherwise plain lines)",
    )
    arguments = options.parse_args()
    if arguments.failures in ("", "-"):
        options.error(f"--failures {arguments.failures!r} is not the name of a file: give one")
    if arguments.failures is not None:
        arguments.failures = Path(arguments.failures)
        FailureFile(arguments.failures, "", report).create()  # before any call: whether it can be written
    if arguments.count is not None and arguments.processes > 1:
        options.error("--count needs --processes 1: several processes cannot share a count")
    if arguments.forever and arguments.empty_after is not None:
        options.error(f"--empty-after {arguments.empty_after} and --forever exclude each other: leave one of them out")
    if arguments.empty_after is None:
        arguments.empty_after = EMPTY_AFTER
    if arguments.forever and arguments.log is None:
        arguments.log = "text"
    return arguments


if __name__ == "__main__":
    run(main)

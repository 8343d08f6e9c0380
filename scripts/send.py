# PYTHON_ARGCOMPLETE_OK
"""Send messages to the queue: "Hello World", a message of your own, or the lines of a file.

Lines are sent in batches, several at once. Transient errors are retried. A line that cannot be sent is reported with
its number and the reason, and the others are sent. After Ctrl-C, --skip continues where sending stopped.

Exit status: 0 all messages were sent, 1 some were not, 2 an argument is invalid, 130 interrupted.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import gc

if __name__ == "__main__":
    gc.disable()  # what exists when sending begins stays: looking at it again and again takes a sixth of the start

# isort: split
import argparse
import contextlib
import json
import os
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hello_queue.aws.clients import client
from hello_queue.cli.failed_file import failed_file
from hello_queue.cli.interrupts import finish_first
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import add_load_options, add_output_options, add_queue_options, number, parser, queue_url
from hello_queue.cli.progress import Failures, bar, counted, report, report_copies
from hello_queue.errors import HelloQueueError, UsageError
from hello_queue.sqs.message_format import DEFAULT_GROUP, MessageFormat
from hello_queue.sqs.messages import MAX_DELAY_SECONDS, message
from hello_queue.sqs.periodic import every
from hello_queue.sqs.queues import is_fifo

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

    from hello_queue.sqs.sending_progress import SendingProgress

MAX_LINES = 1_000_000_000

EXAMPLES = """\
  python scripts/send.py                                send "Hello World"
  python scripts/send.py --author Ada 'Good morning'    with an author
  python scripts/send.py --group customer-7 'an order'  for a tenant
  python scripts/send.py --count 1000                   a thousand times
  python scripts/send.py --file lines.txt               each line is a message
  python scripts/send.py --file m.jsonl --json-lines
      each line is {"body": "..."} and, optionally, "author", "attributes",
      "delay", "group" and "deduplication_id\""""


def main() -> int:
    arguments = _parse()
    # Before any call: an invalid message, or what all lines of a file would have, needs no network.
    message(arguments.body, arguments.author, delay=arguments.delay, group=arguments.group)
    sqs = client("sqs")
    url = queue_url(sqs, arguments)
    message_format = _message_format(arguments, sqs, url)
    if arguments.file is None and arguments.count is None:
        message_id = send(sqs, url, message_format.parameters(arguments.body))
        _print(json.dumps({"sent": 1, "message_id": message_id}) if arguments.json else f"Sent message {message_id}")
        if _names_a_file(arguments.body):
            report(f"this text was sent, and not the lines of the file: that does --file {arguments.body!r}")
        return DONE
    return _send_many(arguments, sqs, url, message_format)


def _names_a_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # such as a name that is too long
        return False


def send(sqs: SQSClient, url: str, parameters: Mapping[str, Any]) -> str:
    """Send one message and return its ID. Once this has returned, SQS keeps the message.

    After an error the message may have been sent all the same: sending it again may duplicate it.
    """
    return sqs.send_message(QueueUrl=url, **parameters)["MessageId"]


def _send_many(arguments: argparse.Namespace, sqs: SQSClient, url: str, message_format: MessageFormat) -> int:
    # Imported here, because a single message need not wait for asyncio.
    from hello_queue.sqs.blocking import BlockingSender
    from hello_queue.sqs.line_batches import LineBatches, read_lines, repeated
    from hello_queue.sqs.retries import Stopped
    from hello_queue.sqs.sending_progress import SendingProgress

    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        file = None if arguments.file is None else stack.enter_context(_input(arguments.file))
        keep_failed = None if arguments.failed is None else stack.enter_context(failed_file(arguments.failed))
        failures = Failures()
        progress = SendingProgress(arguments.skip, keep_failed, report, failures.count)
        sender = BlockingSender(
            url,
            message_format,
            progress,
            report,
            concurrency=arguments.concurrency,
            retry_timeout=arguments.retry_timeout,
            sqs=sqs,
        )
        interrupts = stack.enter_context(finish_first(sender.stop, lambda: _stopped_at(progress)))
        stack.enter_context(_show_progress(arguments, file, progress, failures, began))
        lines = repeated(arguments.body.encode(), arguments.count) if file is None else read_lines(file)
        gc.freeze()
        gc.enable()
        sender.run(LineBatches(lines, arguments.skip))
    early = sender.stopped or progress.error is not None
    _summarize(arguments, progress, time.monotonic() - began, early=early)
    if interrupts.signum is not None:
        return 128 + interrupts.signum
    if isinstance(progress.error, OSError):
        raise HelloQueueError(f"--file {arguments.file!r} cannot be read: {progress.error.strerror}")
    if progress.error is not None and not isinstance(progress.error, Stopped):
        raise progress.error
    return FAILED if progress.failed else DONE


def _message_format(arguments: argparse.Namespace, sqs: SQSClient, url: str) -> MessageFormat:
    fifo = is_fifo(url)
    if fifo and arguments.delay is not None:
        raise UsageError(
            f"--delay {arguments.delay}: messages in a FIFO queue have the queue's delay, not their own. Leave it out, "
            "or deploy the queue with `-c delay_seconds=...`"
        )
    content_based = None
    if fifo:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ContentBasedDeduplication"])["Attributes"]
        content_based = found.get("ContentBasedDeduplication")
    return MessageFormat(
        json_lines=arguments.json_lines,
        author=arguments.author,
        delay=arguments.delay,
        group=arguments.group,
        fifo=fifo,
        deduplication=fifo and content_based != "true",
        skip_blank=arguments.skip_blank,
    )


@contextlib.contextmanager
def _input(name: str) -> Iterator[int]:
    """The descriptor of the file to send."""
    if name == "-" and sys.stdin is None:
        raise UsageError("--file -: stdin is closed. Redirect it, or name a file")
    try:
        descriptor = os.dup(sys.stdin.fileno()) if name == "-" else os.open(name, os.O_RDONLY)
        os.read(descriptor, 0)  # a folder can be opened, and stdin can be for writing only
    except OSError as error:
        raise UsageError(f"--file {name!r} cannot be read: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _show_progress(
    arguments: argparse.Namespace, file: int | None, progress: SendingProgress, failures: Failures, began: float
) -> contextlib.AbstractContextManager[None]:
    def counts() -> str:
        rate = progress.sent / max(time.monotonic() - began, 0.001)
        failed = f", {progress.failed:,} failed{failures.text()}" if progress.failed else ""
        return f"{progress.sent:,} sent{failed}, {rate:,.0f}/s"

    if not sys.stderr.isatty():
        return every(arguments.stats, lambda: report(f"{counts()}, --skip {progress.position}"))
    if file is None:
        return bar(arguments.count, lambda: progress.position, counts)
    status = os.fstat(file)
    if stat.S_ISREG(status.st_mode):
        return bar(status.st_size, lambda: os.lseek(file, 0, os.SEEK_CUR), counts)
    return bar(None, int, counts)


def _counts(progress: SendingProgress) -> str:
    blank = f", {counted(progress.blank, 'blank line')} left out" if progress.blank else ""
    return f"{progress.sent:,} sent, {progress.failed:,} failed{blank}"


def _stopped_at(progress: SendingProgress) -> str:
    text = f"{_counts(progress)}. Continue with --skip {progress.position}"
    beyond = progress.sent_beyond
    return text + (f" ({beyond:,} of the lines after that were already sent and will be sent again)" if beyond else "")


def _summarize(arguments: argparse.Namespace, progress: SendingProgress, seconds: float, *, early: bool) -> None:
    if arguments.json:
        summary = {
            "sent": progress.sent,
            "failed": progress.failed,
            "blank": progress.blank,
            "maybe_twice": progress.maybe_twice,
            "corrupted": progress.corrupted,
            "position": progress.position,
            "sent_beyond": progress.sent_beyond,
            "seconds": round(seconds, 3),
        }
        _print(json.dumps(summary))
        return
    if early:
        report(_stopped_at(progress))
    else:
        _print(_counts(progress))
    report_copies(progress.maybe_twice, progress.corrupted)


def _print(result: str) -> None:
    """Print on stdout, or on stderr if stdout cannot be written: who does not see what was sent may send it again."""
    try:
        print(result, flush=True)
    except BrokenPipeError:
        raise
    except OSError:
        report(result)
        raise


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    one = options.add_argument_group("the message")
    one.add_argument("body", nargs="?", default="Hello World", help="its text (default: %(default)s)")
    one.add_argument("--author", metavar="NAME", help="its message attribute Author (default: none)")
    one.add_argument(
        "--group",
        metavar="ID",
        help="its message group: within it, a FIFO queue keeps the order; in a standard queue, it names a tenant of a "
        f"fair queue (default: none, in a FIFO queue {DEFAULT_GROUP!r})",
    )
    one.add_argument(
        "--delay",
        metavar="SECONDS",
        type=number(0, MAX_DELAY_SECONDS),
        help="instead of the queue's delay; not in a FIFO queue",
    )
    add_queue_options(options)
    many = options.add_argument_group("many messages")
    source = many.add_mutually_exclusive_group()
    source.add_argument("--count", metavar="N", type=number(1, MAX_LINES), help="send the message N times")
    source.add_argument("--file", metavar="FILE", help="send each line of a file (- is stdin)")
    many.add_argument("--json-lines", action="store_true", help="the lines are JSON objects")
    many.add_argument("--skip-blank", action="store_true", help="leave out blank lines, which otherwise fail")
    many.add_argument(
        "--skip", metavar="N", type=number(0, MAX_LINES), default=0, help="continue after the first N lines"
    )
    many.add_argument("--failed", metavar="FILE", help="create FILE with the lines that fail, to be sent again")
    add_load_options(options, concurrency=256, unit="batches in progress")
    add_output_options(options, stats=5)
    arguments = options.parse_args()
    if arguments.file is not None and arguments.body != options.get_default("body"):
        options.error("the message and --file exclude each other: give one of them")
    if arguments.file == "":
        options.error("--file '' is empty: give the name of a file, or - for stdin")
    for name in ("json_lines", "skip_blank", "failed"):
        if getattr(arguments, name) not in (None, False) and arguments.file is None:
            options.error(f"--{name.replace('_', '-')} needs --file")
    if arguments.skip and arguments.file is None and arguments.count is None:
        options.error(f"--skip {arguments.skip} needs --file or --count")
    if arguments.count is not None and arguments.skip > arguments.count:
        options.error(f"--skip {arguments.skip} is more than --count {arguments.count}: nothing would be sent")
    return arguments


if __name__ == "__main__":
    run(main)

"""Send messages to the queue: "Hello World", what you say, or the lines of a file.

Lines go in batches, several at once. What SQS cannot take at the moment is sent again; what it never will is told with
its line and the reason, and the rest goes on. After Ctrl-C it says with which --skip to go on.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from hello_queue.aws.clients import client
from hello_queue.cli.interrupts import finish_first
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import add_load_options, add_queue_options, number, parser, queue_url
from hello_queue.cli.progress import bar, tell
from hello_queue.errors import UsageError
from hello_queue.sqs.entries import DEFAULT_GROUP, MessageFormat
from hello_queue.sqs.lines import LineBatches, read_lines
from hello_queue.sqs.messages import MAX_DELAY_SECONDS, message
from hello_queue.sqs.periodic import every
from hello_queue.sqs.producer import Producer
from hello_queue.sqs.progress import Progress
from hello_queue.sqs.queues import is_fifo
from hello_queue.sqs.retries import RetryPolicy, Stopped
from hello_queue.sqs.sender import Sender, serve
from hello_queue.sqs.thread_pool import calm_threads
from hello_queue.sqs.transport import queue_client
from hello_queue.sqs.worker_processes import WorkerProcess

MANY = 1_000_000_000

EXAMPLES = """\
  python scripts/send.py                                  send "Hello World"
  python scripts/send.py --author Ada 'Good morning'      with an author
  python scripts/send.py --count 1000                     a thousand times
  python scripts/send.py --file lines.txt                 each line is a message (- is stdin)
  python scripts/send.py --file m.jsonl --json-lines      each line is {"body": …} with, if wanted, "author",
                                                          "attributes", "delay", "group", "deduplication_id\""""


def main() -> int:
    arguments = _parse()
    if arguments.file is None:
        message(arguments.body, arguments.author, delay=arguments.delay, group=arguments.group)  # or say what is wrong
    sqs = client("sqs")
    url = queue_url(sqs, arguments)
    reading = _reading(arguments, sqs, url)
    if arguments.file is None and arguments.count is None:
        message_id = send(sqs, url, reading.parameters(arguments.body))
        print(json.dumps({"sent": 1, "message_id": message_id}) if arguments.json else f"Sent message {message_id}")
        return DONE
    return _send_many(arguments, url, reading)


def send(sqs: Any, url: str, parameters: Mapping[str, Any]) -> str:
    """Send one message and return its id. Once this has returned, SQS keeps the message.

    After an error the message may have been sent all the same: sending it again can make it two.
    """
    return str(sqs.send_message(QueueUrl=url, **parameters)["MessageId"])


def _send_many(arguments: argparse.Namespace, url: str, reading: MessageFormat) -> int:
    if reading.fifo and arguments.processes > 1:
        raise UsageError(f"--processes {arguments.processes}: one alone keeps the order of a FIFO queue: use 1")
    calm_threads()
    stop = threading.Event()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        file = None if arguments.file is None else stack.enter_context(_input(arguments.file))
        ledger = Progress(arguments.skip, stack.enter_context(_failed_file(arguments)), tell)
        interrupts = stack.enter_context(finish_first(stop.set, lambda: _how_far(ledger)))
        stack.enter_context(_progress(arguments, file, ledger, began))
        child = (serve, url, reading, arguments.concurrency, arguments.retry_timeout, tell)
        # The children first: they take longest to get ready.
        children = [WorkerProcess(*child) for _ in range(arguments.processes - 1)]
        sender = Sender(
            Producer(queue_client(), url, RetryPolicy(arguments.retry_timeout, stop, tell)),
            reading,
            ledger,
            stop,
            concurrency=arguments.concurrency,
            children=children,
        )
        lines = itertools.repeat(arguments.body.encode(), arguments.count) if file is None else read_lines(file, stop)
        sender.send(LineBatches(lines, arguments.skip))
    _summarize(arguments, ledger, time.monotonic() - began, early=stop.is_set())
    if interrupts.signum is not None:
        return 128 + interrupts.signum
    if ledger.error is not None and not isinstance(ledger.error, Stopped):
        raise ledger.error
    return FAILED if ledger.failed else DONE


def _reading(arguments: argparse.Namespace, sqs: Any, url: str) -> MessageFormat:
    fifo = is_fifo(url)
    name = "ContentBasedDeduplication"
    content_based = fifo and sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"].get(name)
    return MessageFormat(
        json_lines=arguments.json_lines,
        author=arguments.author,
        delay=arguments.delay,
        group=arguments.group,
        fifo=fifo,
        deduplication=fifo and content_based != "true",
    )


@contextlib.contextmanager
def _input(name: str) -> Iterator[int]:
    """The descriptor of the file to send."""
    if name == "-":
        yield sys.stdin.fileno()
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 (the message below is about opening only)
    except OSError as error:
        raise UsageError(f"--file {name} cannot be read: {error.strerror}") from None
    with file:
        yield file.fileno()


@contextlib.contextmanager
def _failed_file(arguments: argparse.Namespace) -> Iterator[IO[bytes] | None]:
    """A new file for what fails; removed again if nothing does."""
    if arguments.failed is None:
        yield None
        return
    path = Path(arguments.failed)
    try:
        file = path.open("xb")
    except FileExistsError:
        raise UsageError(f"--failed {path} exists: send or move it first, or choose another name") from None
    except OSError as error:
        raise UsageError(f"--failed {path} cannot be written: {error.strerror}") from None
    with file:
        yield file
    if path.stat().st_size == 0:
        path.unlink()


def _progress(
    arguments: argparse.Namespace, file: int | None, ledger: Progress, began: float
) -> contextlib.AbstractContextManager[None]:
    def counts() -> str:
        rate = ledger.sent / max(time.monotonic() - began, 0.001)
        failed = f", {ledger.failed:,} failed" if ledger.failed else ""
        return f"{ledger.sent:,} sent{failed}, {rate:,.0f}/s"

    if not sys.stderr.isatty():
        return every(arguments.stats, lambda: tell(f"{counts()}, --skip {ledger.position}"))
    if file is None:
        return bar(arguments.count, lambda: ledger.position, counts)
    status = os.fstat(file)
    if stat.S_ISREG(status.st_mode):
        return bar(status.st_size, lambda: os.lseek(file, 0, os.SEEK_CUR), counts)
    return bar(None, int, counts)


def _how_far(ledger: Progress) -> str:
    text = f"{ledger.sent:,} sent, {ledger.failed:,} failed. To go on: --skip {ledger.position}"
    beyond = ledger.sent_beyond
    return text + (f" ({beyond:,} after that have been sent already, and would be sent twice)" if beyond else "")


def _summarize(arguments: argparse.Namespace, ledger: Progress, seconds: float, *, early: bool) -> None:
    if arguments.json:
        summary = {
            "sent": ledger.sent,
            "failed": ledger.failed,
            "maybe_twice": ledger.maybe_twice,
            "position": ledger.position,
            "sent_beyond": ledger.sent_beyond,
            "seconds": round(seconds, 3),
        }
        print(json.dumps(summary))
        return
    if early:
        tell(_how_far(ledger))
    else:
        print(f"{ledger.sent:,} sent, {ledger.failed:,} failed")
    if ledger.maybe_twice:
        tell(f"{ledger.maybe_twice:,} may be in the queue twice: the answer to a first attempt was lost")


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("body", nargs="?", default="Hello World", help="the message (default: %(default)s)")
    options.add_argument("--author", metavar="NAME", help="set the message attribute Author")
    options.add_argument(
        "--group", metavar="ID", help=f"message group; a FIFO queue needs one (default: {DEFAULT_GROUP})"
    )
    options.add_argument("--delay", metavar="SECONDS", type=number(0, MAX_DELAY_SECONDS), help="instead of the queue's")
    add_queue_options(options)
    many = options.add_argument_group("many messages")
    source = many.add_mutually_exclusive_group()
    source.add_argument("--count", metavar="N", type=number(1, MANY), help="send the message N times")
    source.add_argument("--file", metavar="FILE", help="send each line of the file (- is stdin)")
    many.add_argument("--json-lines", action="store_true", help="the lines are JSON objects, not text")
    many.add_argument("--skip", metavar="N", type=number(0, MANY), default=0, help="go on after the first N")
    many.add_argument("--failed", metavar="FILE", help="a new file for the lines that fail, to be sent again as it is")
    add_load_options(options, many, concurrency=16, unit="batches are under way at once, in each process", stats=5)
    arguments = options.parse_args()
    if arguments.file is not None and arguments.body != options.get_default("body"):
        options.error("the message and --file exclude each other: give one of them")
    for name in ("json_lines", "failed"):
        if getattr(arguments, name) and arguments.file is None:
            options.error(f"--{name.replace('_', '-')} needs --file")
    return arguments


if __name__ == "__main__":
    run(main)

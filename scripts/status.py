# PYTHON_ARGCOMPLETE_OK
"""Show the state of the queue and its dead-letter queue: the numbers of messages, whether the queue drains, and alarms.

With --watch, a terminal shows a screen that is redrawn, and its last figures stay; a pipe gets a row for each sample.
The age of the oldest message and the rates of sending and processing come from CloudWatch: they are minutes old, and
all of the same minute, whose beginning is shown. What you may not read is shown as ?, with the reason on stderr; what
has no value yet as -. The queue's user may read the queue only; the policy NAME-operator (test-operator for the queue
test) allows all of it.

--groups shows messages and age by message group: the tenants of a fair queue. SQS does not count them, so a sample is
received and returned at once. That takes one of its max_receive_count receives from each message in the sample: use it
to find out who fills the queue, not in a cron job. It needs the policy NAME-queue-user.

The exit status is 1 if the dead-letter queue has messages or cannot be read, so that a cron job can use it.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import collections
import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from hello_queue.aws.clients import client
from hello_queue.aws.errors import explain, is_denied
from hello_queue.cli.denied import explain_denied
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import add_queue_options, number, parser, queue_url
from hello_queue.cli.progress import report
from hello_queue.cli.screen import screen
from hello_queue.cli.status_screen import SPARKS, count, duration, group_lines, live, picture, rate, unknown
from hello_queue.errors import UsageError
from hello_queue.operations.metrics import QueueSample, change_per_second, seconds_to_drain, take_sample
from hello_queue.sqs.queues import dead_letter_queue

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

MAX_SAMPLE = 1_000
"""Messages in a sample by message group: all of them are hidden at once, for some seconds."""

EXAMPLES = """\
  python scripts/status.py                        once
  python scripts/status.py --watch 5              redrawn every 5 seconds
  python scripts/status.py --watch 5 --samples 3  three times
  python scripts/status.py --watch 60 --json      a line of JSON every minute
  python scripts/status.py --groups 200           who fills the queue? A sample
                                                  of up to 200 messages"""

HEADINGS = (
    "visible",
    "in flight",
    "delayed",
    "at (UTC)",
    "oldest",
    "sent/s",
    "processed/s",
    "change/s",
    "drained in",
    "dead letters",
)


def main() -> int:
    arguments = _parse()
    sqs, cloudwatch = client("sqs"), client("cloudwatch")
    url = queue_url(sqs, arguments)
    samples: collections.deque[QueueSample] = collections.deque(maxlen=SPARKS)
    with _shown(arguments, url) as show:
        try:
            for sample in _samples(arguments, lambda: take_sample(sqs, cloudwatch, url)):
                samples.append(sample)
                show(samples)
        except KeyboardInterrupt:
            if not samples:
                raise
            print(file=sys.stderr)
    if arguments.groups:
        _show_groups(arguments, sqs, url)
        if samples[-1].dead_letters:
            _show_groups(arguments, sqs, dead_letter_queue(sqs, url))
    return DONE if samples[-1].dead_letters == 0 else FAILED


def _samples(arguments: argparse.Namespace, take: Callable[[], QueueSample]) -> Iterator[QueueSample]:
    yield take()
    taken = 1
    while arguments.watch and taken != arguments.samples:
        time.sleep(arguments.watch)
        yield take()
        taken += 1


Show = Callable[[Sequence[QueueSample]], None]
"""Shows the latest of the samples taken so far."""


@contextlib.contextmanager
def _shown(arguments: argparse.Namespace, url: str) -> Iterator[Show]:
    """How samples are shown: on a screen, or as rows or lines of JSON."""
    if arguments.json or not sys.stdout.isatty():
        reported: set[str] = set()

        def print_latest(samples: Sequence[QueueSample]) -> None:
            for note in _notes(samples[-1], url):
                if note not in reported:
                    reported.add(note)
                    report(note)
            _print_sample(arguments, samples[-1], samples[-2] if len(samples) > 1 else None)

        yield print_latest
        return
    console = screen()
    with live(console) as display:
        yield lambda samples: display.draw(picture(console, samples, _notes(samples[-1], url)))


def _show_groups(arguments: argparse.Namespace, sqs: SQSClient, url: str) -> None:
    """Take and show a sample of a queue's messages by message group."""
    # Imported here, because the figures alone need no event loop.
    from hello_queue.operations.group_sample import sample_groups
    from hello_queue.sqs.blocking import run as run_loop

    sample = run_loop(sample_groups(sqs, url, arguments.groups, report))
    if arguments.json:
        groups = [{"group": name, **dataclasses.asdict(group)} for name, group in sample.groups.items()]
        values = {"queue": sample.queue, "visible": sample.visible, "sampled": sample.messages, "groups": groups}
        print(json.dumps(values), flush=True)
    else:
        screen().print(group_lines(sample))
    if sample.ended:
        report(sample.ended)


def _notes(sample: QueueSample, url: str) -> list[str]:
    """What could not be read, and why."""
    denied = {
        what: error for what, error in sample.errors.items() if isinstance(error, ClientError) and is_denied(error)
    }
    notes = [f"cannot read {', '.join(denied)}: {explain_denied(list(denied.values()), url)}"] if denied else []
    others = {what: error for what, error in sample.errors.items() if what not in denied}
    return notes + [f"cannot read {what}: {explain(error) or error}" for what, error in others.items()]


def _print_sample(arguments: argparse.Namespace, now: QueueSample, before: QueueSample | None) -> None:
    """Print a sample as a line of JSON, or as a row of the table."""
    change = None if before is None else change_per_second(before, now)
    drained = None if before is None else seconds_to_drain(before, now)
    if arguments.json:
        values = {
            each.name: getattr(now, each.name)
            for each in dataclasses.fields(now)
            if each.name not in ("at", "errors", "queue", "dead_letter_queue", "alarms")
        }
        values["alarms"] = None if now.alarms is None else [dataclasses.asdict(alarm) for alarm in now.alarms]
        values["minute"] = now.minute.isoformat() if now.minute else None
        print(json.dumps({**values, "change_per_second": change, "seconds_to_drain": drained}), flush=True)
        return
    if before is None:
        print("  ".join(f"{heading:>{_width(heading)}}" for heading in HEADINGS))
    without = unknown(now)
    cells = (
        count(now.visible),
        count(now.in_flight),
        count(now.delayed),
        f"{now.minute:%H:%M}" if now.minute else without,
        duration(now.oldest_seconds, unknown=without),
        rate(now.sent_per_second, unknown=without),
        rate(now.processed_per_second, unknown=without),
        rate(change, sign="+"),
        "never" if before is not None and drained is None else duration(drained),
        count(now.dead_letters),
    )
    row = "  ".join(f"{cell:>{_width(heading)}}" for heading, cell in zip(HEADINGS, cells, strict=True))
    print(row, flush=True)


def _width(heading: str) -> int:
    return max(len(heading), 8)


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    shown = options.add_argument_group("what to show")
    shown.add_argument(
        "--watch", metavar="SECONDS", type=number(1, 86_400), help="a sample every SECONDS seconds, until Ctrl-C"
    )
    shown.add_argument(
        "--samples", metavar="N", type=number(1, 1_000_000_000), help="with --watch: stop after N samples"
    )
    shown.add_argument(
        "--groups",
        metavar="N",
        type=number(1, MAX_SAMPLE),
        help="also messages and age by message group, in a sample of up to N messages. Each of them counts as received "
        "once more",
    )
    shown.add_argument("--json", action="store_true", help="print a line of JSON for each sample")
    add_queue_options(options)
    arguments = options.parse_args()
    if arguments.samples and not arguments.watch:
        raise UsageError(f"--samples {arguments.samples} has no effect without --watch: add --watch SECONDS")
    if arguments.groups and arguments.watch:
        raise UsageError(
            f"--groups {arguments.groups} and --watch exclude each other: each sample takes a receive from messages"
        )
    return arguments


if __name__ == "__main__":
    run(main)

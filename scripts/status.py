"""Print the state of the queue and its dead-letter queue: the numbers of messages, and whether the queue drains.

The age of the oldest message and the rates of sending and processing come from CloudWatch: they are minutes old, and
all of the same minute, whose beginning is shown. What you may not read is shown as ?, with the reason on stderr. The
queue's user may read the queue only; the policy NAME-operator (test-operator for the queue test) allows all of it.

The exit status is 1 if the dead-letter queue has messages or cannot be read, so that a cron job can use it.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import dataclasses
import json
import sys
import time

from botocore.exceptions import ClientError

from hello_queue.aws.clients import client
from hello_queue.aws.errors import explain, is_denied
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import add_queue_options, number, parser, queue_url
from hello_queue.cli.progress import tell
from hello_queue.errors import UsageError
from hello_queue.operations.metrics import QueueSample, change_per_second, seconds_to_drain, take_sample

EXAMPLES = """\
  python scripts/status.py                       once
  python scripts/status.py --watch 5             a table with a row every 5 seconds, until Ctrl-C
  python scripts/status.py --watch 5 --samples 3 three rows
  python scripts/status.py --watch 60 --json     a line of JSON every minute"""

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
    reported: set[str] = set()
    sample = take_sample(sqs, cloudwatch, url)
    _report_errors(sample, url, reported)
    _print_sample(arguments, sample, None)
    taken = 1
    try:
        while arguments.watch and taken != arguments.samples:
            time.sleep(arguments.watch)
            before, sample = sample, take_sample(sqs, cloudwatch, url)
            _report_errors(sample, url, reported)
            _print_sample(arguments, sample, before)
            taken += 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return DONE if sample.dead_letters == 0 else FAILED


def _report_errors(sample: QueueSample, url: str, reported: set[str]) -> None:
    """Print what could not be read, once for all samples."""
    policy = f"{url.rpartition('/')[2].removesuffix('.fifo')}-operator"
    for what, error in sample.errors.items():
        if what in reported:
            continue
        reported.add(what)
        if isinstance(error, ClientError) and is_denied(error):
            reason = f"{error.operation_name}: {error.response['Error']['Message']}. The policy {policy} allows it"
        else:
            reason = explain(error) or str(error)
        tell(f"cannot read {what}: {reason}")


def _print_sample(arguments: argparse.Namespace, now: QueueSample, before: QueueSample | None) -> None:
    """Print a sample as a line of JSON, or as a row of the table."""
    change = None if before is None else change_per_second(before, now)
    drained = None if before is None else seconds_to_drain(before, now)
    if arguments.json:
        values = {
            each.name: getattr(now, each.name) for each in dataclasses.fields(now) if each.name not in ("at", "errors")
        }
        values["minute"] = now.minute.isoformat() if now.minute else None
        print(json.dumps({**values, "change_per_second": change, "seconds_to_drain": drained}), flush=True)
        return
    if before is None:
        print("  ".join(f"{heading:>{_width(heading)}}" for heading in HEADINGS))
    cells = (
        f"{now.visible:,}",
        f"{now.in_flight:,}",
        f"{now.delayed:,}",
        f"{now.minute:%H:%M}" if now.minute else "?",
        _duration(now.oldest_seconds),
        _rate(now.sent_per_second),
        _rate(now.processed_per_second),
        _rate(change, sign="+"),
        "never" if before is not None and drained is None else _duration(drained),
        "?" if now.dead_letters is None else f"{now.dead_letters:,}",
    )
    row = "  ".join(f"{cell:>{_width(heading)}}" for heading, cell in zip(HEADINGS, cells, strict=True))
    print(row, flush=True)


def _width(heading: str) -> int:
    return max(len(heading), 8)


def _rate(rate: float | None, sign: str = "") -> str:
    return "?" if rate is None else f"{rate:{sign},.1f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours else f"{minutes} m {rest:02} s" if minutes else f"{rest} s"


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument(
        "--watch", metavar="SECONDS", type=number(1, 86_400), help="take a sample every SECONDS seconds, until Ctrl-C"
    )
    options.add_argument(
        "--samples", metavar="N", type=number(1, 1_000_000_000), default=0, help="with --watch: stop after N samples"
    )
    options.add_argument("--json", action="store_true", help="print each sample as a line of JSON")
    add_queue_options(options)
    arguments = options.parse_args()
    if arguments.samples and not arguments.watch:
        raise UsageError(f"--samples {arguments.samples} has no effect without --watch: add --watch SECONDS")
    return arguments


if __name__ == "__main__":
    run(main)

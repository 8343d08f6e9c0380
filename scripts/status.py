"""Say how the queue and its dead-letter queue are: what waits, what is in flight, and whether it drains.

The exit status is 1 when there are messages in the dead-letter queue, so that a cron job can use it. The age of the
oldest message and the rates of sending and processing are CloudWatch's, minutes old, and need the right to read them.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import dataclasses
import json
import sys
import time

from hello_queue.aws.clients import client
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import add_queue_options, number, parser, queue_url
from hello_queue.operations.metrics import Figures, change_per_second, look, seconds_to_drain
from hello_queue.sqs.queues import dead_letter_queue

EXAMPLES = """\
  python scripts/status.py                       once
  python scripts/status.py --watch 5             a live table, a look every 5 seconds, until Ctrl-C
  python scripts/status.py --watch 60 --json     a line of JSON a minute"""

HEADINGS = (
    "visible",
    "in flight",
    "delayed",
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
    dead_letter_url = dead_letter_queue(sqs, url)
    first = previous = look(sqs, cloudwatch, url, dead_letter_url)
    _show(arguments, first, None)
    try:
        while arguments.watch and arguments.looks != 1:
            arguments.looks -= 1
            time.sleep(arguments.watch)
            now = look(sqs, cloudwatch, url, dead_letter_url)
            _show(arguments, now, previous)
            previous = now
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return FAILED if previous.dead else DONE


def _show(arguments: argparse.Namespace, now: Figures, before: Figures | None) -> None:
    """Print one look: a line of JSON, or a row of the table."""
    change = None if before is None else change_per_second(before, now)
    drained = None if before is None else seconds_to_drain(before, now)
    if arguments.json:
        figures = {name: value for name, value in dataclasses.asdict(now).items() if name != "at"}
        print(json.dumps({**figures, "change_per_second": change, "seconds_to_drain": drained}), flush=True)
        return
    if before is None:
        print("  ".join(f"{heading:>{_width(heading)}}" for heading in HEADINGS))
    cells = (
        f"{now.visible:,}",
        f"{now.in_flight:,}",
        f"{now.delayed:,}",
        _duration(now.oldest_seconds),
        _rate(now.sent_per_second),
        _rate(now.processed_per_second),
        _rate(change, sign="+"),
        "never" if before is not None and drained is None else _duration(drained),
        f"{now.dead:,}",
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
    options.add_argument("--watch", metavar="SECONDS", type=number(1, 86_400), help="look again every so often")
    options.add_argument(
        "--looks", metavar="N", type=number(1, 1_000_000_000), default=0, help="so often, with --watch"
    )
    options.add_argument("--json", action="store_true", help="a line of JSON for each look")
    add_queue_options(options)
    return options.parse_args()


if __name__ == "__main__":
    run(main)

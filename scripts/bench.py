# PYTHON_ARGCOMPLETE_OK
"""Compare send.py and process.py with other programs. The contenders run one after the other, in several rounds, and
the medians of one run are compared.

They run against an endpoint with canned responses, which come at once or, as from a region, after 10 ms, and against
the local AWS. The benchmark fails if a message is lost: the endpoint's counts must be exact.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import os
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path

import boto3

from hello_queue.benchmark.contenders import (
    BATCHES,
    CONTENDERS,
    OURS,
    PEERS,
    PYTHON_PEERS,
    TUTORIAL,
)
from hello_queue.benchmark.endpoint import Endpoint, endpoint
from hello_queue.benchmark.measurements import (
    LOCAL_AWS_MESSAGES,
    on_the_local_aws,
    peak_memory,
    start_up,
    throughput,
)
from hello_queue.benchmark.results import Comparison, Task, record
from hello_queue.cli.main import DONE, run
from hello_queue.cli.options import number, parser
from hello_queue.cli.progress import report
from hello_queue.errors import HelloQueueError

EXAMPLES = """\
  make bench                                  everything: about 40 minutes
  python scripts/bench.py --rounds 1          a first look
  python scripts/bench.py --only 'send, 10,000 bytes, http, at once' --rounds 3
                                              one comparison: about 2 minutes
  python scripts/bench.py --record docs/benchmark.json && make docs
                                              what the documentation shows"""


TASKS = [
    Task(kind, scheme, size, delay)
    for scheme, size in (("http", 100), ("https", 100), ("http", 10_000))
    for delay in (0.0, 0.01)
    for kind in CONTENDERS
]
START_UP, MEMORY, LOCAL_AWS = "start-up", "memory", "local AWS"
PARTS = [START_UP, MEMORY, LOCAL_AWS, *(task.name for task in TASKS)]


def main() -> int:
    arguments = _parse()
    rounds = arguments.rounds
    for needed in (PEERS / "node_modules", PYTHON_PEERS):
        if not needed.exists():
            raise HelloQueueError(f"{needed} is missing: run `make bench`")
    cores = os.cpu_count()
    print(f"Medians of {rounds}, {cores} cores, Python {sys.version.split()[0]}, boto3 {boto3.__version__}\n")
    parts = [name for name in PARTS if any(text in name for text in arguments.only or [""])]
    comparisons: list[Comparison] = []
    others: dict[str, object] = {}

    def keep() -> None:
        """After each step, so that a run that is interrupted leaves what it has measured."""
        if arguments.record is not None:
            record(arguments.record, comparisons, rounds, others)

    with endpoint() as (server, tls_server):
        if START_UP in parts:
            starts = start_up(server, rounds * 2)
            _print_start_up(starts)
            others["start_up_seconds"] = starts
        if MEMORY in parts:
            others["peak_memory_megabytes"] = _print_peak_memory(server)
        if LOCAL_AWS in parts:
            local = on_the_local_aws(rounds, report)
            _print_local_aws(local)
            others["local_aws_seconds"] = {f"{name}: {kind}": seconds for (name, kind), seconds in local.items()}
        keep()
        for task in TASKS:
            if task.name in parts:
                target = tls_server if task.scheme == "https" else server
                comparisons.append(throughput(target, task, rounds, report))
                print(comparisons[-1].table(), flush=True)
                keep()
    return DONE


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--rounds", metavar="N", type=number(1, 99), default=5, help="measure each so often")
    options.add_argument(
        "--only",
        metavar="TEXT",
        type=_part,
        action="append",
        help=f"measure only the parts with this in their names: {START_UP}, {MEMORY}, {LOCAL_AWS}, and those such as "
        f"'{TASKS[0].name}'; may be repeated",
    )
    options.add_argument("--record", metavar="FILE", type=Path, help="write every figure to this file, as JSON")
    arguments = options.parse_args()
    if arguments.only is not None and arguments.record is not None:
        options.error("--only and --record exclude each other: a record is of one whole run")
    return arguments


def _part(text: str) -> str:
    if not text or not any(text in name for name in PARTS):
        raise argparse.ArgumentTypeError(
            f"{text[:60]!r} is in the name of no part, such as '{LOCAL_AWS}' or '{TASKS[0].name}'"
        )
    return text


def _print_peak_memory(server: Endpoint) -> dict[int, float]:
    print("**Peak memory of `send.py --file`**\n\n| lines | MB |\n|---:|---:|")
    memory = {}
    for lines in (10_000, 1_000_000):
        report(f"memory: {lines:,} lines")
        memory[lines] = peak_memory(server, lines)
        print(f"| {lines:,} | {memory[lines]:.0f} |", flush=True)
    print()
    return memory


def _print_start_up(seconds: Mapping[str, list[float]]) -> None:
    print("**Start to first message**\n\n| | seconds | times |\n|---|---:|---:|")
    base = statistics.median(next(iter(seconds.values())))
    for name, each in seconds.items():
        print(f"| {name} | {statistics.median(each):.2f} | {statistics.median(each) / base:.2f} |")
    print(flush=True)


def _print_local_aws(seconds: Mapping[tuple[str, str], list[float]]) -> None:
    print(
        f"**Local AWS** (TLS, signatures and IAM enforced), {LOCAL_AWS_MESSAGES:,} messages of 100 bytes, "
        "whole commands\n"
    )
    print("| | send, messages/s | process, messages/s |\n|---|---:|---:|")
    for name in (TUTORIAL, BATCHES, OURS):
        rates = [f"{LOCAL_AWS_MESSAGES / statistics.median(seconds[name, kind]):,.0f}" for kind in ("send", "process")]
        print(f"| {name} | {' | '.join(rates)} |")
    print(flush=True)


if __name__ == "__main__":
    run(main)

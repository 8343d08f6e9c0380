"""Compare send.py and process.py with other programs. The contenders run one after the other, in several rounds, and
the medians of one run are compared.

They run against an endpoint with canned responses, which come at once or, as from a region, after 10 ms, and against
the local AWS. The benchmark fails if a message is lost: the endpoint's counts must be exact.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import os
import statistics
import sys
from collections.abc import Mapping

import boto3

from hello_queue.benchmark.contenders import BATCHES, CONTENDERS, OURS, OURS_TWO, PEERS, TUTORIAL
from hello_queue.benchmark.endpoint import endpoint
from hello_queue.benchmark.measurements import (
    LOCAL_AWS_MESSAGES,
    Measured,
    on_the_local_aws,
    peak_memory,
    start_up,
    throughput,
)
from hello_queue.cli.main import DONE, run
from hello_queue.cli.options import number, parser
from hello_queue.cli.progress import tell
from hello_queue.errors import HelloQueueError

EXAMPLES = """\
  make bench                                  everything: about 15 minutes
  python scripts/bench.py --rounds 1          a first look"""


def main() -> int:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--rounds", metavar="N", type=number(1, 99), default=5, help="default: %(default)s")
    rounds = options.parse_args().rounds
    if not (PEERS / "node_modules").exists():
        raise HelloQueueError(f"{PEERS}/node_modules is missing: run `make bench`")
    cores = os.cpu_count()
    print(f"Medians of {rounds}, {cores} cores, Python {sys.version.split()[0]}, boto3 {boto3.__version__}\n")
    with endpoint() as server:
        for delay in (0.0, 0.01):
            for size in (100, 10_000):
                for kind in CONTENDERS:
                    _print_throughput(kind, size, delay, throughput(server, kind, size, delay, rounds, tell))
        _print_start_up(start_up(server, rounds * 2))
        print("**Peak memory of `send.py --file`**\n\n| lines | MB |\n|---:|---:|")
        for lines in (10_000, 1_000_000):
            tell(f"memory: {lines:,} lines")
            print(f"| {lines:,} | {peak_memory(server, lines):.0f} |", flush=True)
        print()
    _print_local_aws(on_the_local_aws(rounds, tell))
    return DONE


def _print_throughput(kind: str, size: int, delay: float, measured: Mapping[str, Measured]) -> None:
    """Compare each with the tutorial's way, and ours with Node's."""
    target = f"answers after {delay * 1000:g} ms" if delay else "answers at once"
    print(f"**{kind}**, {size:,} bytes, {target}\n")
    print("| | messages/s | times the tutorial's way | CPU per message |\n|---|---:|---:|---:|")
    tutorial = statistics.median(measured[TUTORIAL].rates)
    for name, each in measured.items():
        rate, cpu = statistics.median(each.rates), statistics.median(each.cpu)
        print(f"| {name} | {rate:,.0f} | {rate / tutorial:.1f} | {cpu:,.0f} µs |")
    peer = next(statistics.median(each.rates) for name, each in measured.items() if "Node" in name)
    best = max(statistics.median(measured[name].rates) for name in (OURS, OURS_TWO))
    print(f"\nOurs is {best / peer:.2f} times Node's.\n", flush=True)


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


if __name__ == "__main__":
    run(main)

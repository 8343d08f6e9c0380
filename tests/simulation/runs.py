"""Running many seeds, and shrinking one that fails."""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.world import Result


CHUNK = 50


@dataclass
class Totals:
    """What many seeds had. ``failures`` has the first broken promise of each seed that failed."""

    seeds: int = 0
    hours: float = 0
    cpu: float = 0
    requests: int = 0
    kills: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.hours += result.seconds / 3_600
        self.requests += result.requests
        self.kills += result.kills
        self.faults.update(result.faults)
        self.counts.update(result.counts)
        if result.broken:
            self.failures[result.seed] = result.broken[0]

    def __iadd__(self, other: Totals) -> Totals:
        self.seeds += other.seeds
        self.hours += other.hours
        self.cpu += other.cpu
        self.requests += other.requests
        self.kills += other.kills
        self.faults.update(other.faults)
        self.counts.update(other.counts)
        self.failures |= other.failures
        return self

    def __str__(self) -> str:
        counts = ", ".join(f"{number:,} {name}" for name, number in self.counts.items())
        faults = ", ".join(f"{number:,} {name}" for name, number in self.faults.most_common())
        return (
            f"{self.seeds:,} seeds, {len(self.failures)} failed: {self.hours:,.1f} hours in {self.cpu:,.0f} s of CPU, "
            f"{self.requests:,} requests, {self.kills:,} kills, {sum(self.faults.values()):,} faulty requests\n"
            f"messages: {counts}\nfaults: {faults}"
        )

    def line(self) -> str:
        return json.dumps(vars(self))

    @classmethod
    def from_log(cls, path: Path) -> Totals:
        """The totals of the last line, if there is one."""
        if not path.exists() or not (lines := path.read_text().splitlines()):
            return cls()
        content = json.loads(lines[-1])
        content["faults"], content["counts"] = Counter(content["faults"]), Counter(content["counts"])
        content["failures"] = {int(seed): broken for seed, broken in content["failures"].items()}
        return cls(**content)


def silence() -> None:
    """Let Python print nothing of the coroutines of killed processes: they are never awaited, and cannot clean up."""
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


def run_range(first: int, end: int) -> Totals:
    """Run these seeds in this process."""
    from tests.simulation.world import World  # only now: a mutant can be put into the engine before

    hook = sys.unraisablehook
    silence()
    gc.disable()
    totals = Totals()
    begun = time.process_time()
    for seed in range(first, end):
        totals.add(World(seed).run())
        if seed % CHUNK == 0:
            gc.collect()
    gc.collect()
    gc.enable()
    sys.unraisablehook = hook
    totals.cpu = time.process_time() - begun
    return totals


def first_failure(first: int, number: int) -> int | None:
    """The first of so many seeds that fails; None: none does."""
    for seed in range(first, first + number, 5):
        if failures := run_range(seed, min(seed + 5, first + number)).failures:
            return min(failures)
    return None


def run_seeds(first: int, number: int, processes: int) -> Totals:
    """Run so many seeds in several processes."""
    totals = Totals()
    starts = range(first, first + number, CHUNK)
    ends = [min(start + CHUNK, first + number) for start in starts]
    with ProcessPoolExecutor(processes) as pool:
        for part in pool.map(run_range, starts, ends):
            totals += part
    return totals


def run_logged(first: int, number: int, processes: int, path: Path) -> Totals:
    """The same, with a line of totals in a file every 1,000 seeds. It goes on after those that the file has."""
    totals = Totals.from_log(path)
    for start in range(first + totals.seeds, first + number, 1_000):
        totals += run_seeds(start, min(1_000, first + number - start), processes)
        with path.open("a") as log:
            log.write(totals.line() + "\n")
    return totals


def shrunk(seed: int) -> list[int]:
    """The numbers of the fault events that the failure of a seed does not need."""
    from tests.simulation.world import World

    without: list[int] = []
    for event in World(seed).events:
        if World(seed, without=[*without, event.number]).run().broken:
            without.append(event.number)
    return without


def command(seed: int, without: list[int]) -> str:
    """How to see a failure again."""
    options = f" --without {','.join(map(str, without))}" if without else ""
    return f"python -m tests.simulation --seed {seed}{options}"


def run_again(arguments: list[str]) -> str:
    """Run the command of this package in a new process, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout if done.stdout else done.stderr

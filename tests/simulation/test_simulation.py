"""The engine keeps its promises in simulated worlds, and the simulation finds an engine that does not.

A few seeds are part of the tests; `make simulate` runs fresh ones.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hello_queue.project import ROOT
from tests.simulation import mutants, mutation, runs, variety

SEEDS = 60
MUTANTS = ("no heartbeat", "position at the last line sent", "groups not kept in order")


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("first", [0, variety.FIRST])
def test_every_promise_is_kept(first: int) -> None:
    totals = runs.run_range(first, first + SEEDS)
    assert not totals.failures
    assert totals.kills > 0
    assert sum(totals.faults.values()) > 100


@pytest.mark.parametrize("seed", mutants.FOUND)
def test_a_seed_that_once_failed(seed: int) -> None:
    assert not runs.run_range(seed, seed + 1).failures, mutants.FOUND[seed]


def test_a_seed_decides_everything() -> None:
    first, second = (simulate("--seed", "13", hash_seed=number).stdout for number in ("1", "2"))
    assert "SendMessageBatch" in first
    assert first == second


def test_seeds_are_shared_and_counted() -> None:
    done = simulate("--first", "100", "--seeds", "4", "--processes", "2")
    assert done.returncode == 0
    assert done.stdout.startswith("seeds 100 to 103\n4 seeds, 0 failed: ")


def test_a_long_run_goes_on_where_its_log_ends(tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = simulate("--first=0", "--seeds=10", f"--log={log}")
    again = simulate("--first=0", "--seeds=10", f"--log={log}")
    assert first.stdout == again.stdout
    assert first.stdout.startswith("seeds 0 to 9\n10 seeds, 0 failed"), first.stderr
    assert len(log.read_text().splitlines()) == 1


def test_a_failure_is_shrunk() -> None:
    code = (
        "from tests.simulation import mutation, runs; mutation.install('lease counted from the answer')\n"
        "seed = next(seed for seed in range(120, 1000) if runs.run_range(seed, seed + 1).failures)\n"
        "from tests.simulation.world import World\n"
        "without = runs.shrunk(seed)\n"
        "print(len(World(seed).events), len(without), bool(World(seed, without=without).run().broken))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    events, left_out, still_fails = done.stdout.split()
    assert 0 < int(left_out) <= int(events)
    assert still_fails == "True"


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(name: str) -> None:
    assert mutation.found(name, 100).isdigit()


def test_the_documentation_lists_every_mutant() -> None:
    """Its table is what `make mutants` has printed."""
    rows = re.findall(r"^\| (.+) \| (.+) \| \d+ \|$", (ROOT / "docs/simulation.md").read_text(), re.MULTILINE)
    assert rows == [(name, mutant.what) for name, mutant in mutants.MUTANTS.items()]


def test_every_mutant_can_be_put_in() -> None:
    for mutant in mutants.MUTANTS.values():
        mutation.changed_source(mutant)

"""Puts faults into the engine by program, to see whether the simulation finds them."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
import types
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from pathlib import Path

from hello_queue.project import ROOT
from tests.simulation.mutants import MUTANTS, WITHOUT_FIX, Mutant
from tests.simulation.runs import run_again, run_seeds
from tests.simulation.variety import FIRST_WITH_BATCHES


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with another source text."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = f"hello_queue.{mutant.module}"
        self._source = changed_source(mutant)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self._name else None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self._source, str(_path(self._name)), "exec"), module.__dict__)  # noqa: S102 (our own source)


def _path(module: str) -> Path:
    return ROOT / "scripts" / f"{module.replace('.', '/')}.py"


def changed_source(mutant: Mutant) -> str:
    """The source of the module with the fault.

    Raises:
        ValueError: the engine has changed, so that the fault cannot be put in.
    """
    source = _path(f"hello_queue.{mutant.module}").read_text()
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.module} has {source.count(mutant.old)} times {mutant.old!r}")
    return source.replace(mutant.old, mutant.new)


def install(name: str) -> None:
    """Put a fault into the engine, in this process.

    Raises:
        ValueError: the engine has changed, so that the fault cannot be put in.
    """
    finder = _Finder(MUTANTS[name])
    for loaded in [each for each in sys.modules if each.startswith(("hello_queue.sqs", "hello_queue.operations"))]:
        del sys.modules[loaded]
    for loaded in [each for each in sys.modules if each.startswith("tests.simulation.")]:
        if loaded not in (__name__, "tests.simulation.runs", "tests.simulation.__main__"):
            del sys.modules[loaded]
    sys.meta_path.insert(0, finder)


def found(name: str, seeds: int, first: int | None = None) -> str:
    """How many seeds it takes to find a mutant, in a process of its own; "none": so many do not."""
    start = MUTANTS[name].first if first is None else first
    arguments = ["--mutant", name, "--seeds", str(seeds), "--first", str(start)]
    return run_again(arguments).strip().rpartition("\n")[2]


def run_all(seeds: int, processes: int) -> int:
    """Print for each mutant how many seeds it takes, as a table of Markdown.

    Returns:
        The exit status: 1 if one is not found, if a seed fails with the engine as it is (then a mutant proves nothing),
        or if one that the tests keep by its number no longer fails without the fix that it was kept for.
    """
    failures = run_seeds(FIRST_WITH_BATCHES, seeds, processes).failures
    print(f"the engine as it is: {len(failures)} of {seeds:,} seeds fail {sorted(failures) or ''}", flush=True)
    print("\n| Mutant | What it does | Seeds |\n|---|---|---:|", flush=True)
    with ThreadPoolExecutor(processes) as pool:
        numbers = pool.map(lambda name: found(name, seeds), MUTANTS)
        alive = []
        for (name, mutant), number in zip(MUTANTS.items(), numbers, strict=True):
            print(f"| {name} | {mutant.what} | {number} |", flush=True)
            if not number.isdigit():
                alive.append(name)
    kept = [seed for seed, name in WITHOUT_FIX.items() if found(name, 1, seed) != "1"]
    print(f"\nkept seeds that do not fail without their fix: {kept}")
    print(f"{len(MUTANTS)} mutants, {len(MUTANTS) - len(alive)} found within {seeds:,} seeds; not found: {alive}")
    return 1 if alive or failures or kept else 0

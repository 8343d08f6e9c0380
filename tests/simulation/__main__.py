"""``make simulate``: run seeds, print what happened, and shrink what failed.

python -m tests.simulation --seeds 1000             fresh seeds on all cores
python -m tests.simulation --first 5000 --seeds 100 these
python -m tests.simulation --seed 5021              one, with its trace
python -m tests.simulation --mutants                faults put into the engine by program: is each found?
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tests.simulation.runs import command, first_failure, run_logged, run_seeds, shrunk, silence
from tests.simulation.variety import FIRST


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1_000, help="how many")
    parser.add_argument("--first", type=int, help="the first of them (default: a fresh one, by the time)")
    parser.add_argument("--seed", type=int, help="run only this one, and print who did what when")
    parser.add_argument("--without", default="", help="with --seed: numbers of fault events to leave out: 1,2,5")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many processes share the seeds")
    parser.add_argument("--log", help="append totals to this file every 1,000 seeds; continue after those that it has")
    parser.add_argument("--mutant", help="put this fault into the engine")
    parser.add_argument("--mutants", action="store_true", help="run each mutant until it is found, in up to --seeds")
    arguments = parser.parse_args()
    silence()
    if arguments.mutants:
        from tests.simulation.mutation import run_all

        return run_all(arguments.seeds, arguments.processes)
    if arguments.mutant:
        from tests.simulation.mutation import install

        install(arguments.mutant)
        first = FIRST if arguments.first is None else arguments.first
        failed = first_failure(first, arguments.seeds)
        print("none" if failed is None else failed - first + 1)
        return 0
    if arguments.seed is not None:
        return _replay(arguments.seed, {int(number) for number in arguments.without.split(",") if number})
    first = int(time.time()) * 1_000 if arguments.first is None else arguments.first
    print(f"seeds {first} to {first + arguments.seeds - 1}", flush=True)
    if arguments.log:
        totals = run_logged(first, arguments.seeds, arguments.processes, Path(arguments.log))
    else:
        totals = run_seeds(first, arguments.seeds, arguments.processes)
    print(totals)
    for seed, broken in sorted(totals.failures.items())[:10]:
        print(f"\nseed {seed}: {broken}\n  {command(seed, shrunk(seed))}")
    return 1 if totals.failures else 0


def _replay(seed: int, without: set[int]) -> int:
    from tests.simulation.world import World

    world = World(seed, without=without, tracing=True)
    result = world.run()
    print(world.scenario.description())
    print(*(f"  {event}" for event in world.events), *result.trace, "", sep="\n")
    if result.broken:
        print(*result.broken, sep="\n")
        if not without:
            print(command(seed, shrunk(seed)))
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main())

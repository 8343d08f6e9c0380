"""How many calls are in flight, in virtual time."""

import asyncio
from collections.abc import Callable

import pytest

from hello_queue.sqs.concurrency import FEWEST, SAMPLE_SECONDS, Concurrency
from tests.simulation.virtual_loop import VirtualLoop

MOST = 256


def wanted_after(seconds: float, *shares: Callable[[int], float]) -> int:
    """The number of calls in flight when the process has been as busy as this for so long, one after the other.

    Args:
        shares: of its time that the process computes with this number of calls in flight.
    """
    cpu, share = 0.0, shares[0]

    def cpu_clock() -> float:
        nonlocal cpu
        cpu += share(concurrency.wanted) * SAMPLE_SECONDS
        return cpu

    concurrency = Concurrency(MOST, cpu_clock)

    async def run() -> None:
        nonlocal share
        adapting = asyncio.ensure_future(concurrency.adapt(lambda: None))
        for share in shares:  # noqa: B007 (the clock reads it)
            await asyncio.sleep(seconds)
        adapting.cancel()

    loop = VirtualLoop()
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
    return concurrency.wanted


def waits(calls: int) -> float:
    return 0.1


def computes(calls: int) -> float:
    return 1.0


def test_a_process_that_waits_has_all_calls_in_flight_after_a_tenth_of_a_second() -> None:
    assert wanted_after(0.1, waits) == MOST


def test_a_process_that_computes_has_few_calls_in_flight() -> None:
    assert wanted_after(1, computes) == FEWEST
    assert wanted_after(1, waits, computes) == FEWEST


@pytest.mark.parametrize("enough", [24, 60, 160, 250])
def test_the_number_settles_where_the_process_is_busy(enough: int) -> None:
    busy: list[float] = []

    def share(calls: int) -> float:
        busy.append(min(1.0, calls / enough))
        return busy[-1]

    calls = wanted_after(2, waits, share)
    assert calls <= 1.15 * enough
    settled = busy[len(busy) // 2 :]
    assert sum(settled) / len(settled) > 0.9

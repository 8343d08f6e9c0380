"""How many calls to have in flight: as many as keep this process busy, and no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

FEWEST = 16
SAMPLE_SECONDS = 0.02
_WAITING, _BUSY = 0.8, 0.95


class Concurrency:
    """A number of calls that follows what is of use, up and down.

    While this process mostly waits for responses, more calls in flight help: the number doubles, and grows slowly while
    it waits little. While it computes all the time, they only wait for each other: the number falls slowly.

    Args:
        most: the upper limit.
        cpu_clock: CPU seconds of this process.
    """

    def __init__(self, most: int, cpu_clock: Callable[[], float] = time.process_time) -> None:
        self.wanted = min(FEWEST, most)
        self._fewest = self.wanted
        self._most = most
        self._cpu_clock = cpu_clock

    async def adapt(self, changed: Callable[[], None]) -> None:
        """Sample until cancelled; call ``changed`` when `wanted` has changed."""
        clock = asyncio.get_running_loop().time
        wall, cpu = clock(), self._cpu_clock()
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            now, used = clock(), self._cpu_clock()
            share = (used - cpu) / max(now - wall, 1e-6)
            wall, cpu = now, used
            before = self.wanted
            if share < _WAITING:
                self.wanted = min(self._most, self.wanted * 2)
            elif share < _BUSY:
                self.wanted = min(self._most, self.wanted * 9 // 8)
            else:
                self.wanted = max(self._fewest, self.wanted * 7 // 8)
            if self.wanted != before:
                changed()

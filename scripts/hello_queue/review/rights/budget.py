"""How much work comparing policies may be, in steps rather than seconds, so that the outcome is the same everywhere."""

from __future__ import annotations

ONE = 1_500_000
"""Steps for one right. A step takes about half a microsecond."""

ALL = 3 * ONE
"""Steps for all rights that are compared with each other."""


class TooComplexError(Exception):
    """The policies cannot be compared exactly within bounds."""


class Budget:
    """What is left of the steps.

    Args:
        steps: for everything.
        share: for what follows each `begin`, so that one right that is too complex leaves enough for the others.
    """

    def __init__(self, steps: int = ALL, share: int = ONE) -> None:
        self._all, self._share = steps, share
        self._left = min(steps, share)

    def begin(self) -> None:
        """What follows has a share of its own."""
        self._left = min(self._all, self._share)

    def spend(self, steps: int) -> None:
        """Count steps.

        Raises:
            TooComplexError: none are left.
        """
        self._all -= steps
        self._left -= steps
        if self._left < 0:
            raise TooComplexError

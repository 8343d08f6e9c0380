"""Wait, right after a deployment, for what is not known everywhere in AWS yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from botocore.exceptions import ClientError

from hello_queue.aws.errors import may_be_propagating
from hello_queue.checks.model import Check
from hello_queue.deployment.stacks import StackInProgress

_PAUSE_SECONDS = 2

T = TypeVar("T")


class Waiting:
    """Repeats what fails only because a deployment is recent, for a limited time altogether.

    Args:
        seconds: how long to wait; 0: not at all.
        report: takes a line that says what is waited for.

    Attributes:
        waited: how many seconds were spent.
    """

    def __init__(self, seconds: float, report: Callable[[str], None]) -> None:
        self.waited = 0.0
        self._began = time.monotonic()
        self._seconds = seconds
        self._report = report
        self._reported = ""

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def give_up(self) -> None:
        """Wait no more."""
        self._seconds = 0

    def pause(self, reason: str) -> bool:
        """Wait a moment. Returns whether there was time left; if not, it did not wait."""
        remaining = self._seconds - self.elapsed
        if remaining <= 0:
            return False
        if reason != self._reported:
            self._report(f"not yet: {reason}. Waiting for at most {remaining:.0f} s")
            self._reported = reason
        seconds = min(_PAUSE_SECONDS, remaining)
        time.sleep(seconds)  # no event tells when a change is known in all of AWS
        self.waited += seconds
        return True

    def call(self, do: Callable[[], T]) -> T:
        """Call a function again while it fails with an error that a recent deployment explains."""
        while True:
            try:
                return do()
            except ClientError as error:
                if not may_be_propagating(error) or not self.pause(
                    f"{error.operation_name} ({error.response['Error']['Code']})"
                ):
                    raise
            except StackInProgress as error:
                if not self.pause(str(error).partition(":")[0]):
                    raise

    def settled(self, make: Callable[[], Iterable[Check]]) -> list[Check]:
        """Make checks again while all failed ones can pass by waiting. After a wrong one, nothing is waited for."""
        while True:
            checks = list(make())
            failed = [each for each in checks if each.passed is False]
            if any(each.settles <= self.elapsed for each in failed):
                self.give_up()
            if not failed or not self.pause(", ".join(each.name for each in failed)):
                return checks

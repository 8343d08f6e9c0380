"""Ctrl-C and SIGTERM: the first finishes the work in progress, the second ends the process at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class Interrupts:
    """The signals received so far.

    Attributes:
        signum: the first signal that asked to stop, or None.
    """

    signum: int | None = None


@contextlib.contextmanager
def finish_first(stop: Callable[[], None], summary: Callable[[], str]) -> Iterator[Interrupts]:
    """On the first SIGINT or SIGTERM call ``stop``; on the second end this process at once.

    Args:
        stop: begins to stop.
        summary: returns a line to print before ending at once.
    """
    interrupts = Interrupts()

    def handle(signum: int, frame: FrameType | None) -> None:
        if interrupts.signum is None:
            interrupts.signum = signum
            os.write(2, b"\nstopping: finishing the work in progress (interrupt again to stop at once)\n")
            # On a thread: the code interrupted here may hold a lock that stopping needs.
            threading.Thread(target=stop, daemon=True).start()
        else:
            # Not print: the code interrupted here may be a print.
            os.write(2, f"{summary()}\n".encode())
            os._exit(128 + signum)

    before = {signum: signal.signal(signum, handle) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)

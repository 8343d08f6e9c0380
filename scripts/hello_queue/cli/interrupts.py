"""Ctrl-C and SIGTERM: first to finish, then to end at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class Interrupts:
    """What has been asked so far.

    Attributes:
        signum: the signal that asked to stop, or None.
    """

    signum: int | None = None


@contextlib.contextmanager
def finish_first(stop: Callable[[], None], last_words: Callable[[], str]) -> Iterator[Interrupts]:
    """On the first SIGINT or SIGTERM call ``stop``; on the second end this process at once.

    Args:
        stop: begins to stop.
        last_words: a line to say before ending at once.
    """
    interrupts = Interrupts()

    def handle(signum: int, frame: FrameType | None) -> None:
        if interrupts.signum is None:
            interrupts.signum = signum
            os.write(2, b"\nstopping: finishing what is under way (the same again: stop at once)\n")
            # On a thread: what is interrupted here may hold a lock that stopping needs.
            threading.Thread(target=stop, daemon=True).start()
        else:
            # Not print: what is interrupted here may be a print.
            os.write(2, f"{last_words()}\n".encode())
            os._exit(128 + signum)

    before = {signum: signal.signal(signum, handle) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)

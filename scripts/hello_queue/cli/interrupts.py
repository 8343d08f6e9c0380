"""Ctrl-C and SIGTERM: the first finishes the work in progress, the second ends the process at once."""

from __future__ import annotations

import contextlib
import os
import queue
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
def finish_first(
    stop: Callable[[], None], summary: Callable[[], str], shown: Callable[[str], str] = str
) -> Iterator[Interrupts]:
    """On the first SIGINT or SIGTERM call ``stop``, on a thread; on the second end this process at once.

    Args:
        stop: begins to stop.
        summary: returns a line to print before ending at once.
        shown: how a line is printed.

    ``summary`` and ``shown`` are called in the signal handler: they must not take a lock, which the code that the
    signal has interrupted may hold.
    """
    interrupts = Interrupts()
    # Started before any signal comes, and woken without a lock: starting a thread takes locks of its own.
    requests: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def stop_when_asked() -> None:
        if requests.get():
            stop()

    stopping = threading.Thread(target=stop_when_asked, daemon=True)

    def handle(signum: int, frame: FrameType | None) -> None:
        if interrupts.signum is None:
            interrupts.signum = signum
            requests.put(True)
            _write(shown("stopping: finishing the work in progress (interrupt again to stop at once)"))
        else:
            _write(shown(summary()))
            os._exit(128 + signum)

    stopping.start()
    before = {signum: signal.signal(signum, handle) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        requests.put(False)


def _write(line: str) -> None:
    """Print on stderr: not with print, whose lock the interrupted code may hold. A stop does not depend on a reader."""
    after_echo = "\n" if os.isatty(2) else ""  # a terminal shows ^C
    with contextlib.suppress(OSError):
        os.write(2, f"{after_echo}{line}\n".encode(errors="backslashreplace"))

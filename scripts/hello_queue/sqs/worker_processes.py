"""Further processes of one script, for more than one core's work. They end when their parent does, however it ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable
from typing import Any

from hello_queue.errors import HelloQueueError
from hello_queue.sqs.thread_pool import calm_threads


class WorkerProcess:
    """A process that runs ``target(connection, *arguments)``, with a pipe in between.

    It ignores Ctrl-C, which a terminal sends to all processes: the parent says when to stop.
    """

    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(target, theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def send(self, value: Any) -> None:
        """Send something. If the child is dead, `receive` tells."""
        with contextlib.suppress(OSError):
            self._connection.send(value)

    def receive(self) -> Any:
        """The next that the child sends.

        Raises:
            HelloQueueError: the child has ended: it was killed, or ran out of memory.
        """
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            raise HelloQueueError(
                f"one of the processes ended with {self._process.exitcode}: was it killed, or out of memory?"
            ) from None

    def stop(self) -> None:
        """Have the child finish what is under way."""
        self._process.terminate()

    def end(self) -> None:
        """Close the pipe, and wait until the child has ended."""
        self._connection.close()
        self._process.join()


def stopped_by_parent() -> threading.Event:
    """In a child: an event that is set when the parent says to stop."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    return stop


def _run(target: Callable[..., None], connection: Any, *arguments: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    calm_threads()
    with contextlib.suppress(BrokenPipeError):  # the parent is gone: nobody is left to tell
        target(connection, *arguments)

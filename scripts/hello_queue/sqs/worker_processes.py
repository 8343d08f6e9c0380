"""Worker processes of a script, to use more than one core. They end when their parent does, however it ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import signal
from collections.abc import Callable
from multiprocessing import resource_tracker
from typing import Any

from hello_queue.errors import HelloQueueError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class WorkerProcessEnded(HelloQueueError):
    """A worker process has ended before it finished its work. The message has its exit status."""


class WorkerProcess:
    """A process that runs ``target(connection, *arguments)``, with a pipe to the parent.

    It ignores Ctrl-C, which a terminal sends to all processes: the parent stops it. ``target`` must call
    `stopped_by_parent`.
    """

    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(target, theirs, *arguments), daemon=True)
        resource_tracker.ensure_running()  # starting it unblocks the signals
        # The worker inherits blocked signals, so that none ends it before it can handle them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def receive(self) -> Any:
        """Wait for the next value that the worker sends.

        Raises:
            WorkerProcessEnded: it has ended.
        """
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            raise WorkerProcessEnded(f"a worker process {_ending(self._process.exitcode or 0)}") from None

    def stop(self) -> None:
        """Have the worker finish what it has begun."""
        self._process.terminate()

    def end(self) -> None:
        """Close the pipe and wait until the worker has ended."""
        self._connection.close()
        self._process.join()


def stopped_by_parent() -> Callable[[], int]:
    """In a worker process: a function that waits until the parent calls `WorkerProcess.stop`."""
    # A simple queue has no lock that a second signal would wait for forever while the first is being handled.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    signal.signal(signal.SIGTERM, lambda signum, _: signals.put(signum))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    return signals.get


def _run(target: Callable[..., None], connection: Any, *arguments: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    with contextlib.suppress(BrokenPipeError, EOFError):  # the parent has ended
        target(connection, *arguments)


def _ending(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit status {exit_code}"
    name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else str(-exit_code)
    return f"was killed by signal {name}" + (" (out of memory?)" if -exit_code == signal.SIGKILL else "")

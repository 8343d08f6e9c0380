"""One consumer in this process, or one in each of several worker processes."""

from __future__ import annotations

import contextlib
import gc
import pickle
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

from hello_queue.errors import HelloQueueError
from hello_queue.sqs.blocking import BlockingConsumer
from hello_queue.sqs.consumer_config import ConsumerConfig
from hello_queue.sqs.handlers import CannotGoOn, Handler, describe
from hello_queue.sqs.leases import Counts
from hello_queue.sqs.notices import Report
from hello_queue.sqs.periodic import every
from hello_queue.sqs.worker_processes import WorkerProcess, WorkerProcessEnded, stopped_by_parent

_COUNTS_SECONDS = 0.5


class Consumers:
    """A consumer in this process, or several in worker processes.

    With several, this process handles no message itself, so that it can report how a worker process ended, whatever a
    handler did to it.

    Args:
        config: of each consumer.
        load: returns the handler; called in each process.
        report: see `hello_queue.sqs.notices`; called in each process.
        processes: how many consumers. 1: in this process.
        grace: see `Consumer.run`.
    """

    def __init__(
        self, config: ConsumerConfig, load: Callable[[], Handler], report: Report, processes: int, grace: float
    ) -> None:
        self._grace = grace
        self._consumer = BlockingConsumer(config, load(), report) if processes == 1 else None
        workers = processes if processes > 1 else 0
        self._workers = [WorkerProcess(_consume, config, load, report, grace) for _ in range(workers)]
        self._worker_counts = [Counts().snapshot() for _ in self._workers]
        self._finished = True
        self._error: Exception | None = None

    def counts(self) -> dict[str, int]:
        """The counts of all processes (see `Counts`)."""
        if self._consumer is not None:
            return self._consumer.counts.snapshot()
        return {name: sum(counts[name] for counts in self._worker_counts) for name in Counts.NAMES}

    def stop(self) -> None:
        """See `Consumer.stop`."""
        if self._consumer is not None:
            self._consumer.stop()
        for worker in self._workers:
            worker.stop()

    def run(self) -> bool:
        """See `Consumer.run`. The first worker process that fails stops the others.

        Raises:
            HelloQueueError: a worker process has ended before it finished. The message has its exit status.
        """
        if self._consumer is not None:
            return self._consumer.run(self._grace)
        threads = [
            threading.Thread(target=self._follow, args=(number, worker), daemon=True)
            for number, worker in enumerate(self._workers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error
        return self._finished

    def _follow(self, number: int, worker: WorkerProcess) -> None:
        try:
            while not isinstance(answer := worker.receive(), bool):
                if isinstance(answer, Exception):
                    raise answer
                self._worker_counts[number] = answer
            if not answer:  # assigned only then: the threads would overwrite each other's
                self._finished = False
            worker.end()
        except WorkerProcessEnded as error:
            self._fail(
                HelloQueueError(
                    f"{error}: the messages that it was handling are received again after their visibility timeout"
                )
            )
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self.stop()


def _consume(
    connection: Connection, config: ConsumerConfig, load: Callable[[], Handler], report: Report, grace: float
) -> None:
    """The main function of a worker process. It sends counts at intervals, and at the end whether every handler has
    finished, or the error."""
    wait_for_stop = stopped_by_parent()
    result: bool | Exception
    try:
        consumer = BlockingConsumer(config, load(), report)
    except Exception as error:
        connection.send(_portable(error))
        return

    def stop_when_told() -> None:
        wait_for_stop()
        consumer.stop()

    def stop_with_parent() -> None:
        with contextlib.suppress(OSError, EOFError):
            connection.recv()
        consumer.stop()

    for watch in (stop_when_told, stop_with_parent):
        threading.Thread(target=watch, daemon=True).start()
    gc.freeze()  # see process.py

    def send_counts() -> None:
        with contextlib.suppress(OSError):  # the parent has ended
            connection.send(consumer.counts.snapshot())

    with every(_COUNTS_SECONDS, send_counts):
        try:
            result = consumer.run(grace)
        except Exception as error:
            result = _portable(error)
    connection.send(consumer.counts.snapshot())
    connection.send(result)


def _portable(error: Exception) -> Exception:
    """An exception that the parent can unpickle, with the reason in its text."""
    if isinstance(error, CannotGoOn) and error.__cause__ is not None:
        return CannotGoOn(error.reason())
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
    except Exception:
        return HelloQueueError(describe(error))
    return error

"""One consumer in each of several processes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from hello_queue.sqs.consumer import Consumer
from hello_queue.sqs.handlers import Handler
from hello_queue.sqs.leases import Counts
from hello_queue.sqs.periodic import every
from hello_queue.sqs.transport import queue_client
from hello_queue.sqs.worker_processes import WorkerProcess, stopped_by_parent

_COUNTS_SECONDS = 0.5


@dataclass(frozen=True)
class ConsumerConfig:
    """How to consume. The fields are those of `Consumer`."""

    url: str
    concurrency: int
    visibility_timeout: int
    max_handling_seconds: float
    limit: int | None
    empty_after: float | None
    patience: float
    tell: Callable[[str], None]

    def consumer(self, handle: Handler) -> Consumer:
        return Consumer(
            queue_client(),
            self.url,
            handle,
            concurrency=self.concurrency,
            visibility_timeout=self.visibility_timeout,
            max_handling_seconds=self.max_handling_seconds,
            limit=self.limit,
            empty_after=self.empty_after,
            patience=self.patience,
            tell=self.tell,
        )


class Consumers:
    """A consumer here, and one in each of some further processes.

    Args:
        how: for each of them.
        load: gives the handler, in each process anew.
        processes: how many in all.
    """

    def __init__(self, how: ConsumerConfig, load: Callable[[], Handler], processes: int) -> None:
        self._consumer = how.consumer(load())
        self._children = [WorkerProcess(_consume, how, load) for _ in range(processes - 1)]
        self._their_counts = [dict.fromkeys(Counts.NAMES, 0) for _ in self._children]
        self._finished = True
        self._error: Exception | None = None

    def counts(self) -> dict[str, int]:
        """What happened to how many messages, in all processes."""
        all_counts = [self._consumer.counts.snapshot(), *self._their_counts]
        return {name: sum(counts[name] for counts in all_counts) for name in Counts.NAMES}

    def stop(self) -> None:
        for child in self._children:
            child.stop()
        self._consumer.stop()

    def run(self, grace: float) -> bool:
        """As `Consumer.run`, for all of them: the first that cannot go on stops the others."""
        self._grace = grace
        threads = [
            threading.Thread(target=self._follow, args=(number, child), daemon=True)
            for number, child in enumerate(self._children)
        ]
        for thread in threads:
            thread.start()
        try:
            finished = self._consumer.run(grace)
        except Exception:
            self.stop()
            raise
        finally:
            for thread in threads:
                thread.join()
        if self._error is not None:
            raise self._error
        return finished and self._finished

    def _follow(self, number: int, child: WorkerProcess) -> None:
        try:
            child.send(self._grace)
            while not isinstance(answer := child.receive(), bool):
                if isinstance(answer, Exception):
                    raise answer
                self._their_counts[number] = answer
            self._finished = self._finished and answer
            child.end()
        except Exception as error:
            self._error = self._error or error
            self.stop()


def _consume(connection: Connection, how: ConsumerConfig, load: Callable[[], Handler]) -> None:
    """The main function of a child: its first message is the grace time, it answers with counts, and last with whether
    it finished all, or with what went wrong."""
    stop = stopped_by_parent()
    consumer = how.consumer(load())
    grace = connection.recv()

    def stop_when_told() -> None:
        stop.wait()
        consumer.stop()

    def stop_with_parent() -> None:
        with contextlib.suppress(OSError, EOFError):
            connection.recv()
        consumer.stop()

    for watch in (stop_when_told, stop_with_parent):
        threading.Thread(target=watch, daemon=True).start()
    result: bool | Exception
    with every(_COUNTS_SECONDS, lambda: connection.send(consumer.counts.snapshot())):
        try:
            result = consumer.run(grace)
        except Exception as error:
            result = error
    connection.send(consumer.counts.snapshot())
    connection.send(result)

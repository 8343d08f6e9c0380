"""Sends any number of lines: several batches at once, on threads and, optionally, in further processes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from hello_queue.sqs.batches import Entry, batches
from hello_queue.sqs.line_batches import MAX_LINE_BYTES, Line, LineBatches, TooLong
from hello_queue.sqs.message_format import MessageFormat
from hello_queue.sqs.messages import InvalidMessage
from hello_queue.sqs.producer import Outcome, Producer
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.sending_progress import SendingProgress
from hello_queue.sqs.thread_pool import Next, ThreadPool
from hello_queue.sqs.transport import queue_client
from hello_queue.sqs.worker_processes import WorkerProcess, stopped_by_parent

_LINES_FOR_A_WORKER = 10 * MAX_BATCH_ENTRIES
"""Passing lines to a process costs time per call, not per line."""


class Sender:
    """Sends lines by a producer, and records the outcome of each.

    Each thread takes the next lines when it has sent its last ones, so that input is read no faster than it is sent.

    Args:
        producer: shared by all threads.
        message_format: how lines become messages.
        progress: gets the outcomes.
        stop: set to end early: batches that have begun are finished, no new ones begin. An attempt that fails is not
            repeated.
        concurrency: the maximum number of concurrent batches in this process.
        workers: processes that run `serve`. Not for FIFO queues.
    """

    def __init__(
        self,
        producer: Producer,
        message_format: MessageFormat,
        progress: SendingProgress,
        stop: threading.Event,
        *,
        concurrency: int,
        workers: Sequence[WorkerProcess] = (),
    ) -> None:
        self._producer = producer
        self._format = message_format
        self._progress = progress
        self._stop = stop
        self._pool = ThreadPool(self._work, concurrency, self._fail)
        self._workers = workers
        self._capacity = 2 * concurrency
        self._taking = threading.Lock()
        self._last_of_group: dict[str, threading.Event] = {}

    def send(self, lines: LineBatches) -> None:
        """Send all lines. Returns when each is settled or, after a stop, when no batch is in progress. Errors are
        recorded in the progress."""
        self._lines = lines
        threads = [threading.Thread(target=self._feed, args=(worker,), daemon=True) for worker in self._workers]
        self._pool.start()
        for thread in threads:
            thread.start()
        self._pool.join()
        for thread in threads:
            thread.join()

    def _work(self) -> Next:
        outcome = Outcome()
        settled = threading.Event()
        with self._taking:
            first, lines = self._take(MAX_BATCH_ENTRIES)
            if not lines:
                return Next.END
            entries = parse(self._format, first, lines, outcome)
            predecessors = self._queue_up(entries, settled) if self._format.fifo else []
        for event in predecessors:
            event.wait()
        try:
            deliver(self._producer, entries, outcome)
            self._settle(outcome)
        finally:
            settled.set()
        return Next.GO_ON_WITH_MORE

    def _take(self, most: int) -> tuple[int, list[Line]]:
        return (0, []) if self._stop.is_set() else self._lines.take(most)

    def _queue_up(self, entries: Sequence[Entry], settled: threading.Event) -> list[threading.Event]:
        """The earlier batches with messages of the same groups, which must be settled first to keep the order."""
        groups = {entry.parameters["MessageGroupId"] for entry in entries}
        predecessors = [self._last_of_group[group] for group in groups if group in self._last_of_group]
        self._last_of_group = {group: event for group, event in self._last_of_group.items() if not event.is_set()}
        self._last_of_group.update(dict.fromkeys(groups, settled))
        return predecessors

    def _feed(self, worker: WorkerProcess) -> None:
        """Pass lines to a worker process, as many as it can have in progress, and settle its outcomes.

        After a stop, the worker finishes the lines that it has: lines after them may have been sent here, and would be
        sent again if these were missing.
        """
        try:
            worker.receive()  # it is ready
            in_progress = 0
            more = True
            while more or in_progress:
                while more and in_progress < self._capacity:
                    with self._taking:
                        first, lines = self._take(_LINES_FOR_A_WORKER)
                    more = bool(lines)
                    if more:
                        worker.send((first, lines))
                        in_progress += 1
                if self._stop.is_set():
                    worker.stop()
                if in_progress:
                    self._settle(worker.receive())
                    in_progress -= 1
            worker.end()
        except Exception as error:
            self._fail(error)

    def _settle(self, outcome: Outcome) -> None:
        self._progress.settle(outcome)
        if outcome.error is not None:
            self._stop.set()

    def _fail(self, error: Exception) -> None:
        self._settle(Outcome(error=error))


def parse(message_format: MessageFormat, first: int, lines: Sequence[Line], outcome: Outcome) -> list[Entry]:
    """The messages in the lines. Invalid and blank lines are recorded in the outcome.

    Args:
        first: the number of the first line.
    """
    entries = []
    for number, line in enumerate(lines, first):
        if isinstance(line, TooLong):
            beginning = line.beginning.decode(errors="replace")
            reason = f"longer than {MAX_LINE_BYTES:,} bytes (it begins with {beginning[:40]!r})"
            outcome.refused.append((number, None, reason))
        elif message_format.skip_blank and message_format.is_blank(line):
            outcome.blank.append(number)
        else:
            try:
                entries.append(message_format.entry(number, line))
            except InvalidMessage as error:
                outcome.refused.append((number, line, str(error)))
    return entries


def deliver(producer: Producer, entries: Sequence[Entry], outcome: Outcome) -> None:
    """Send the entries, batch by batch, until there is an error."""
    for batch in batches(entries):
        if outcome.error is not None:
            break
        producer.send(batch, outcome)


def serve(
    connection: Connection,
    url: str,
    message_format: MessageFormat,
    concurrency: int,
    retry_timeout: float,
    tell: Callable[[str], None],
) -> None:
    """The main function of a worker process: send the lines that come through the pipe, and return their outcomes."""
    stop = stopped_by_parent()
    producer = Producer(queue_client(), url, RetryPolicy(retry_timeout, stop, tell))
    receiving, answering = threading.Lock(), threading.Lock()

    def work() -> Next:
        with receiving:
            first, lines = connection.recv()
        outcome = Outcome()
        deliver(producer, parse(message_format, first, lines, outcome), outcome)
        with answering:
            connection.send(outcome)
        return Next.GO_ON_WITH_MORE

    def failed(error: Exception) -> None:
        if isinstance(error, (EOFError, OSError)):
            stop.set()  # the pipe is closed: everything is sent, or the parent process has ended
        else:
            with answering, contextlib.suppress(OSError):
                connection.send(Outcome(error=error))

    pool = ThreadPool(work, concurrency, failed)
    connection.send(None)
    pool.start()
    pool.join()

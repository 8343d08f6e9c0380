"""Sends any number of lines: several batches at once, on threads, and if wanted in further processes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from hello_queue.sqs.entries import Entry, MessageFormat, batches
from hello_queue.sqs.lines import MAX_LINE_BYTES, Line, LineBatches, TooLong
from hello_queue.sqs.messages import InvalidMessage
from hello_queue.sqs.producer import Outcome, Producer
from hello_queue.sqs.progress import Progress
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.thread_pool import Next, ThreadPool
from hello_queue.sqs.transport import queue_client
from hello_queue.sqs.worker_processes import WorkerProcess, stopped_by_parent

_LINES_FOR_A_CHILD = 10 * MAX_BATCH_ENTRIES
"""Passing lines on costs by the passing, not by the line."""


class Sender:
    """Sends lines by a producer, and enters in a ledger what became of each.

    Each thread takes the next lines when it has sent those before, so that the input is read no faster than it is sent.

    Args:
        producer: shared by all threads.
        reading: how lines become messages.
        ledger: gets the outcomes.
        stop: set to end early: what is under way is finished, nothing new begins.
        concurrency: the most batches under way at once in this process.
        children: processes that run `serve`. Not for FIFO queues.
    """

    def __init__(
        self,
        producer: Producer,
        reading: MessageFormat,
        ledger: Progress,
        stop: threading.Event,
        *,
        concurrency: int,
        children: Sequence[WorkerProcess] = (),
    ) -> None:
        self._producer = producer
        self._reading = reading
        self._ledger = ledger
        self._stop = stop
        self._pool = ThreadPool(self._work, concurrency, self._fail)
        self._children = children
        self._capacity = 2 * concurrency
        self._taking = threading.Lock()
        self._last_of_group: dict[str, threading.Event] = {}

    def send(self, portions: LineBatches) -> None:
        """Send all lines. Returns when each is settled, or, after a stop, when nothing is under way any more. What went
        wrong is in the ledger."""
        self._portions = portions
        threads = [threading.Thread(target=self._shuttle, args=(child,), daemon=True) for child in self._children]
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
            entries = read(self._reading, first, lines, outcome)
            before = self._queue_up(entries, settled) if self._reading.fifo else []
        for event in before:
            event.wait()
        try:
            deliver(self._producer, entries, outcome, self._stop)
            self._settle(outcome)
        finally:
            settled.set()
        return Next.GO_ON_WITH_MORE

    def _take(self, most: int) -> tuple[int, list[Line]]:
        return (0, []) if self._stop.is_set() else self._portions.take(most)

    def _queue_up(self, entries: Sequence[Entry], settled: threading.Event) -> list[threading.Event]:
        """What to wait for, so that a group keeps its order: the batches before that have messages of the same
        groups.
        """
        groups = {entry.parameters["MessageGroupId"] for entry in entries}
        before = [self._last_of_group[group] for group in groups if group in self._last_of_group]
        self._last_of_group = {group: event for group, event in self._last_of_group.items() if not event.is_set()}
        self._last_of_group.update(dict.fromkeys(groups, settled))
        return before

    def _shuttle(self, child: WorkerProcess) -> None:
        """Pass lines to a child process, as many as it can have under way, and settle what it answers."""
        try:
            child.receive()  # it is ready
            under_way = 0
            more = True
            while more or under_way:
                while more and under_way < self._capacity:
                    with self._taking:
                        first, lines = self._take(_LINES_FOR_A_CHILD)
                    more = bool(lines)
                    if more:
                        child.send((first, lines))
                        under_way += 1
                if self._stop.is_set():
                    child.stop()
                if under_way:
                    self._settle(child.receive())
                    under_way -= 1
            child.end()
        except Exception as error:
            self._fail(error)

    def _settle(self, outcome: Outcome) -> None:
        self._ledger.settle(outcome)
        if outcome.error is not None:
            self._stop.set()

    def _fail(self, error: Exception) -> None:
        self._settle(Outcome(error=error))


def read(reading: MessageFormat, first: int, lines: Sequence[Line], outcome: Outcome) -> list[Entry]:
    """What the lines say. Those that cannot be sent go to the outcome."""
    entries = []
    for number, line in enumerate(lines, first):
        if isinstance(line, TooLong):
            beginning = line.beginning.decode(errors="replace")
            reason = f"it is longer than {MAX_LINE_BYTES:,} bytes (it begins {beginning[:40]!r})"
            outcome.refused.append((number, None, reason))
            continue
        try:
            entries.append(reading.entry(number, line))
        except InvalidMessage as error:
            outcome.refused.append((number, line, str(error)))
    return entries


def deliver(producer: Producer, entries: Sequence[Entry], outcome: Outcome, stop: threading.Event) -> None:
    """Send the entries, batch by batch, until something is wrong or a stop is asked for."""
    for batch in batches(entries):
        if stop.is_set() or outcome.error is not None:
            break
        producer.send(batch, outcome)


def serve(
    connection: Connection,
    url: str,
    reading: MessageFormat,
    concurrency: int,
    patience: float,
    tell: Callable[[str], None],
) -> None:
    """Send the lines that come through the pipe, and answer with their outcomes. The main function of a child."""
    stop = stopped_by_parent()
    producer = Producer(queue_client(), url, RetryPolicy(patience, stop, tell))
    taking, answering = threading.Lock(), threading.Lock()

    def work() -> Next:
        with taking:
            first, lines = connection.recv()
        outcome = Outcome()
        deliver(producer, read(reading, first, lines, outcome), outcome, stop)
        with answering:
            connection.send(outcome)
        return Next.GO_ON_WITH_MORE

    def failed(error: Exception) -> None:
        if isinstance(error, (EOFError, OSError)):
            stop.set()  # the pipe is closed: all is done, or the parent is gone
        else:
            with answering, contextlib.suppress(OSError):
                connection.send(Outcome(error=error))

    crew = ThreadPool(work, concurrency, failed)
    connection.send(None)
    crew.start()
    crew.join()

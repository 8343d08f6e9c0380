"""Receives messages, has them handled, and deletes those that were: none is lost, few come twice."""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from botocore import exceptions as aws

from hello_queue.aws.clients import LONG_POLL_SECONDS
from hello_queue.sqs.handlers import CannotGoOn, Handler, RetryLater, from_receive
from hello_queue.sqs.leases import Counts, Lease, Leases
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES, is_fifo
from hello_queue.sqs.retries import RetryPolicy, Stopped, is_transient
from hello_queue.sqs.thread_pool import Next, ThreadPool

AHEAD_SECONDS = 0.5
"""A lane receives no more than it expects to begin within this time, and deletes what it has done after it."""
WATCH_SECONDS = 0.1

_SYSTEM_ATTRIBUTES = ["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"]


class _Lane:
    """One thread's work: the messages that it has received together, handled one after the other."""

    def __init__(self, leases: Iterable[Lease]) -> None:
        self.waiting = deque(leases)
        self.current: Lease | None = None
        self._done: list[Lease] = []
        self._first_done = 0.0
        self._lock = threading.Lock()

    def begin_next(self) -> Lease | None:
        """The next message to be handled, if there is one."""
        try:
            self.current = self.waiting.popleft()
        except IndexError:
            self.current = None
        return self.current

    def finish(self, lease: Lease) -> None:
        with self._lock:
            if not self._done:
                self._first_done = time.monotonic()
            self._done.append(lease)

    @property
    def has_waited_long(self) -> bool:
        """Whether what it has done should be deleted before it has done the rest."""
        return bool(self._done) and time.monotonic() - self._first_done > AHEAD_SECONDS

    def take_done(self) -> list[Lease]:
        """Take what is to be deleted."""
        with self._lock:
            done, self._done = self._done, []
            return done

    @property
    def is_stuck(self) -> bool:
        """Whether its current message takes longer than what waits behind it should wait."""
        started_at = self.current.started_at if self.current else None
        return started_at is not None and time.monotonic() - started_at > AHEAD_SECONDS


class Consumer:
    """Has the messages of one queue handled, by threads that receive, handle and delete.

    A message is deleted only after its handler has returned, and only while it is surely ours. A crash at any point
    leaves it in the queue: it comes again after the visibility timeout, which a heartbeat extends for as long as a
    handler runs. One thread polls while there is nothing to do; others join in as long as they are of use.

    Args:
        sqs: a client.
        url: the queue's.
        handle: see `hello_queue.sqs.handlers`.
        concurrency: how many messages are handled at once, at the most.
        visibility_timeout: the queue's, in seconds.
        max_handling_seconds: after so long a message is no longer kept for its handler, and comes again.
        limit: stop after so many messages.
        empty_after: stop when no message has come for so many seconds. None: never.
        patience: how many seconds to repeat calls that fail for a passing reason.
        tell: takes a line for a person.
    """

    def __init__(
        self,
        sqs: Any,
        url: str,
        handle: Handler,
        *,
        concurrency: int = 1,
        visibility_timeout: int = 30,
        max_handling_seconds: float = 43_200,
        limit: int | None = None,
        empty_after: float | None = None,
        patience: float = 60,
        tell: Callable[[str], None],
    ) -> None:
        self.counts = Counts()
        self._sqs = sqs
        self._url = url
        self._handler = handle
        self._fifo = is_fifo(url)
        self._timeout = visibility_timeout
        self._max_handling_seconds = max_handling_seconds
        self._budget = float("inf") if limit is None else limit
        self._empty_after = float("inf") if empty_after is None else empty_after
        self._tell = tell
        self._stop = threading.Event()
        self._give_up = threading.Event()
        self._patience = RetryPolicy(patience, self._stop, tell)
        self._leases = Leases(
            sqs,
            url,
            visibility_timeout=visibility_timeout,
            patience=RetryPolicy(patience, self._give_up, tell),
            tell=tell,
            counts=self.counts,
        )
        self._pool = ThreadPool(self._work, concurrency, self._fail)
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._polling = 0
        self._held: set[Lease] = set()
        self._lanes: set[_Lane] = set()
        self._offered: deque[Lease] = deque()
        self._something_held = threading.Event()
        self._last_message = time.monotonic()
        self._mean_seconds = AHEAD_SECONDS
        self._failed_groups: dict[str, float] = {}
        self._next_heartbeat = 0.0

    def run(self, grace: float = 30) -> bool:
        """Process until `stop` is called, the limit is reached or the queue is empty for long enough.

        Args:
            grace: how many seconds messages that are being handled have to be finished, after a stop.

        Returns:
            Whether all that was begun was finished.

        Raises:
            Exception: what makes it impossible to go on; what a handler gave `CannotGoOn` as its reason.
        """
        self._last_message = time.monotonic()
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(over,), daemon=True)
        watch.start()
        self._pool.start()
        self._pool.join(until=self._stop)
        finished = self._pool.join(grace)
        over.set()
        self._something_held.set()
        watch.join()
        if self._offered:
            self._leases.give_back(list(self._offered))
        if not finished:
            self._give_up.set()
            self._tell("the grace time is over: what is still being handled comes again after its visibility timeout")
        if self._error is not None:
            raise self._error
        return finished

    def stop(self) -> None:
        """Receive no more, finish what has begun, and give back the rest."""
        self._stop.set()
        self._pool.wake()

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, Stopped):
            self._error = self._error or error
        self.stop()

    # What a thread does, again and again.

    def _work(self) -> Next:
        taken_over = self._take_over()
        if taken_over is not None:
            self._handle_all([taken_over])
            return Next.GO_ON
        if self._stop.is_set():
            return Next.END
        asked, leases = self._receive()
        if leases is None:
            return Next.END
        if leases:
            self._handle_all(leases)
        return Next.GO_ON_WITH_MORE if len(leases) == asked else Next.GO_ON

    def _take_over(self) -> Lease | None:
        """A message that waits behind one that takes long."""
        try:
            return self._offered.popleft()
        except IndexError:
            return None

    def _receive(self) -> tuple[int, list[Lease] | None]:
        """Poll once. Returns how many were asked for and what came; None if this thread is not needed any more."""
        with self._lock:
            asked = int(min(self._ahead(), self._budget))
            if asked == 0:
                return 0, None
            self._budget -= asked
            self._polling += 1
        leases: list[Lease] = []
        try:
            leases = self._poll(asked)
        finally:
            with self._lock:
                self._polling -= 1
                self._budget += asked - len(leases)
                self._held.update(leases)
                not_needed = not leases and self._polling > 0
        now = time.monotonic()
        if leases:
            self._last_message = now
            self._something_held.set()
            self.counts.add("received", len(leases))
        elif now - self._last_message >= self._empty_after and not self._held:
            self.stop()
        return asked, None if not_needed else leases

    def _ahead(self) -> int:
        if self._failed_groups:
            # One at a time, so that what follows a failed message in its group is not received with it again and again,
            # and does not follow it into the dead-letter queue.
            now = time.monotonic()
            self._failed_groups = {group: until for group, until in self._failed_groups.items() if until > now}
            if self._failed_groups:
                return 1
        return max(1, min(MAX_BATCH_ENTRIES, int(AHEAD_SECONDS / max(self._mean_seconds, 1e-6))))

    def _poll(self, asked: int) -> list[Lease]:
        attempt = 0
        while True:
            attempt += 1
            remaining = self._last_message + self._empty_after - time.monotonic()
            now = time.monotonic()
            try:
                answer = self._sqs.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=asked,
                    WaitTimeSeconds=max(1, round(min(remaining, LONG_POLL_SECONDS))),
                    VisibilityTimeout=self._timeout,
                    MessageAttributeNames=["All"],
                    MessageSystemAttributeNames=_SYSTEM_ATTRIBUTES,
                )
            except (aws.ClientError, aws.BotoCoreError) as error:
                if not is_transient(error):
                    raise
                self._patience.wait(attempt, error)
                continue
            self._patience.succeeded()
            until = now + self._timeout
            return [Lease(from_receive(each), each["ReceiptHandle"], until) for each in answer.get("Messages") or ()]

    def _handle_all(self, leases: list[Lease]) -> None:
        if not all(lease.held for lease in leases):
            self._leases.extend(leases)  # they were long on their way: are they still ours?
        lane = _Lane(leases)
        self._lanes.add(lane)
        try:
            while (lease := lane.begin_next()) is not None:
                if self._stop.is_set():
                    self._leases.give_back([lease, *self._rest(lane)])
                elif not lease.held:
                    lease.over = True
                elif self._handle(lease):
                    lane.finish(lease)
                elif self._fifo:
                    self._hold_back_group(lease, lane)
                if lane.has_waited_long:
                    self._leases.delete(lane.take_done())
            self._leases.delete(lane.take_done())
        finally:
            self._lanes.discard(lane)
            with self._lock:
                self._held.difference_update([lease for lease in leases if lease.over])

    def _handle(self, lease: Lease) -> bool:
        """Call the handler. Whether it has done its work."""
        began = lease.started_at = time.monotonic()
        try:
            self._handler(lease.message)
        except RetryLater as wish:
            self.counts.add("postponed")
            self._leases.postpone(lease, wish.seconds)
            return False
        except CannotGoOn as error:
            self._leases.give_back([lease])
            reason = error.__cause__
            self._fail(reason if isinstance(reason, Exception) else error)
            return False
        except Exception as error:
            lease.over = True
            self.counts.add("failed")
            self._tell(f"message {lease.message.id} failed at receive {lease.message.receive_count}: {_said(error)}")
            return False
        finally:
            self._mean_seconds += (time.monotonic() - began - self._mean_seconds) * 0.3
        return True

    def _hold_back_group(self, failed: Lease, lane: _Lane) -> None:
        """What follows a failed message in its group must not overtake it."""
        group = failed.message.group
        if group is None:
            return
        with self._lock:
            self._failed_groups[group] = failed.until + self._timeout
        rest = self._rest(lane)
        self._leases.give_back([lease for lease in rest if lease.message.group == group])
        lane.waiting.extend(lease for lease in rest if lease.message.group != group)

    @staticmethod
    def _rest(lane: _Lane) -> list[Lease]:
        rest = list(lane.waiting)
        lane.waiting.clear()
        return rest

    # What goes on beside that.

    def _watch(self, over: threading.Event) -> None:
        while not over.is_set():
            self._something_held.wait()
            if over.wait(WATCH_SECONDS):
                break
            with self._lock:
                self._held = {lease for lease in self._held if not lease.over}
                held = list(self._held)
                if not held:
                    self._something_held.clear()
            lanes = list(self._lanes)
            for lane in lanes:
                if lane.is_stuck:
                    self._relieve(lane)
            self._heartbeat(held)
            nobody_polls = self._polling == 0 and self._budget > 0 and lanes and all(lane.is_stuck for lane in lanes)
            if not self._stop.is_set() and (self._offered or nobody_polls):
                self._pool.start()

    def _relieve(self, lane: _Lane) -> None:
        """Delete what a lane has done before the message that it is stuck with, and offer the rest to others."""
        done = lane.take_done()
        if done:
            # Not here: it may take long, and the heartbeat must go on.
            threading.Thread(target=self._delete_beside, args=(done,), daemon=True).start()
        if not self._fifo:
            self._offered.extend(self._rest(lane))

    def _delete_beside(self, leases: list[Lease]) -> None:
        try:
            self._leases.delete(leases)
        except Exception as error:
            self._fail(error)

    def _heartbeat(self, held: list[Lease]) -> None:
        """Extend what would be visible to others before long, unless its handler has had its time."""
        now = time.monotonic()
        if now < self._next_heartbeat:
            return
        due = []
        for lease in held:
            if not lease.held or now < lease.until - self._timeout / 2:
                continue
            if lease.started_at is None or now - lease.started_at <= self._max_handling_seconds:
                due.append(lease)
            elif not lease.told:
                lease.told = True
                self._tell(
                    f"message {lease.message.id} has been handled for more than {self._max_handling_seconds:g} s: "
                    "it is no longer kept, and comes again"
                )
        if due:
            self._leases.extend(due)
            self._next_heartbeat = now + self._timeout / 20


def _said(error: Exception) -> str:
    """What a handler raised, and where."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text} ({frame.filename}:{frame.lineno})"

"""Receives messages, has them handled, and deletes those that were: it loses none, and rarely handles one twice."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from hello_queue.sqs.handlers import CannotGoOn, Handler, RetryLater, call, describe
from hello_queue.sqs.heartbeat import Heartbeat
from hello_queue.sqs.lanes import AHEAD_SECONDS, Lane
from hello_queue.sqs.leases import Counts, Lease, Leases
from hello_queue.sqs.polling import Poller
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES, is_fifo
from hello_queue.sqs.retries import RetryPolicy, Stopped
from hello_queue.sqs.thread_pool import Next, ThreadPool

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

WATCH_SECONDS = 0.1


class Consumer:
    """Has the messages of one queue handled, by threads that receive, handle and delete.

    A message is deleted only after its handler has returned, and only before its visibility timeout expires. A crash at
    any point leaves it in the queue: it is received again after the visibility timeout, which a heartbeat extends while
    a handler runs. One thread polls while the queue is empty; others start while they are useful.

    Args:
        sqs: a client.
        url: the queue's.
        handle: see `hello_queue.sqs.handlers`.
        concurrency: the maximum number of messages that are handled at once.
        visibility_timeout: the queue's, in seconds.
        max_handling_seconds: a message is kept for its handler for this long. After that, it is received again.
        limit: stop after this number of messages. None: no limit.
        empty_after: stop when no message has been received for this number of seconds. None: never.
        retry_timeout: for how many seconds to repeat calls that fail with a transient error.
        tell: takes a line for a person.
        heartbeat_sqs: see `Leases`.
    """

    def __init__(
        self,
        sqs: SQSClient,
        url: str,
        handle: Handler,
        *,
        concurrency: int = 1,
        visibility_timeout: int = 30,
        max_handling_seconds: float = 43_200,
        limit: int | None = None,
        empty_after: float | None = None,
        retry_timeout: float = 60,
        tell: Callable[[str], None],
        heartbeat_sqs: SQSClient | None = None,
    ) -> None:
        self.counts = Counts()
        self._handler = handle
        self._fifo = is_fifo(url)
        self._timeout = visibility_timeout
        self._budget = float("inf") if limit is None else limit
        self._tell = tell
        self._stop = threading.Event()
        self._give_up = threading.Event()
        self._poller = Poller(
            sqs,
            url,
            visibility_timeout=visibility_timeout,
            empty_after=float("inf") if empty_after is None else empty_after,
            retry_policy=RetryPolicy(retry_timeout, self._stop, tell),
        )
        self._leases = Leases(
            sqs,
            url,
            visibility_timeout=visibility_timeout,
            retry_policy=RetryPolicy(retry_timeout, self._give_up, tell),
            tell=tell,
            counts=self.counts,
            heartbeat_sqs=heartbeat_sqs,
        )
        self._heartbeat = Heartbeat(
            self._leases,
            visibility_timeout=visibility_timeout,
            max_handling_seconds=max_handling_seconds,
            all_busy=lambda: sum(lane.is_stuck for lane in list(self._lanes)) >= concurrency,
            tell=tell,
        )
        self._pool = ThreadPool(self._work, concurrency, self._fail)
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._polling = 0
        self._held: set[Lease] = set()
        self._lanes: set[Lane] = set()
        self._offered: deque[Lease] = deque()
        self._something_held = threading.Event()
        self._mean_seconds = AHEAD_SECONDS
        self._failed_groups: dict[str, float] = {}

    def run(self, grace: float = 30) -> bool:
        """Process until `stop` is called, the limit is reached, or the queue has been empty for long enough.

        Args:
            grace: after a stop, how many seconds handlers have to finish.

        Returns:
            Whether every handler that was called has finished.

        Raises:
            CannotGoOn: a handler raised it.
            botocore.exceptions.ClientError, BotoCoreError: SQS returned an error that is not transient, or that lasted
                too long.
        """
        self._poller.last_message = time.monotonic()
        over = threading.Event()
        watch = self._in_background(lambda: self._watch(over))
        self._pool.start()
        self._pool.join(until=self._stop)
        finished = self._pool.join(grace)
        over.set()
        self._something_held.set()
        watch.join()
        self._leases.give_back(list(self._offered))
        if not finished:
            self._give_up.set()
            self._tell(
                "the grace period is over: unfinished messages are received again after their visibility timeout"
            )
        if self._error is not None:
            raise self._error
        return finished

    def stop(self) -> None:
        """Stop receiving, finish the handlers that have been called, and return all other messages to the queue."""
        self._stop.set()
        self._pool.wake()

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, Stopped):
            self._error = self._error or error
        self.stop()

    # What each thread of the pool does, again and again.

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
        """Take a message that waits behind a slow one."""
        try:
            return self._offered.popleft()
        except IndexError:
            return None

    def _receive(self) -> tuple[int, list[Lease] | None]:
        """Poll once. Returns how many messages were requested and the received ones; None ends this thread."""
        with self._lock:
            asked = int(min(self._max_messages(), self._budget))
            if asked == 0:
                return 0, None
            self._budget -= asked
            self._polling += 1
        leases: list[Lease] = []
        try:
            leases = self._poller.poll(asked)
        finally:
            with self._lock:
                self._polling -= 1
                self._budget += asked - len(leases)
                self._held.update(leases)
                not_needed = not leases and self._polling > 0
        if leases:
            self._something_held.set()
            self.counts.add("received", len(leases))
        elif self._poller.is_empty and not self._held:
            self.stop()
        return asked, None if not_needed else leases

    def _max_messages(self) -> int:
        if self._failed_groups:
            # One at a time: a message that follows a failed one in its group would be received again and again with it,
            # and follow it into the dead-letter queue.
            now = time.monotonic()
            self._failed_groups = {group: until for group, until in self._failed_groups.items() if until > now}
            if self._failed_groups:
                return 1
        return max(1, min(MAX_BATCH_ENTRIES, int(AHEAD_SECONDS / max(self._mean_seconds, 1e-6))))

    def _handle_all(self, leases: list[Lease]) -> None:
        if not all(lease.held for lease in leases):
            self._leases.extend(leases)  # the answer was delayed: the messages may be visible already
        lane = Lane(leases)
        self._lanes.add(lane)
        try:
            while (lease := lane.begin_next()) is not None:
                if self._stop.is_set():
                    self._leases.give_back([lease, *lane.take_rest()])
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
        """Call the handler. Returns whether it succeeded."""
        began = lease.started_at = time.monotonic()
        try:
            call(self._handler, lease.message)
        except RetryLater as error:
            self.counts.add("postponed")
            self._leases.postpone(lease, error.seconds)
            return False
        except CannotGoOn as error:
            self._leases.give_back([lease])
            self._fail(error)
            return False
        except BaseException as error:  # sys.exit, too, fails one message and not this thread
            lease.over = True
            self.counts.add("failed")
            self._tell(f"message {lease.message.id} failed at receive {lease.message.receive_count}: {describe(error)}")
            return False
        finally:
            self._mean_seconds += (time.monotonic() - began - self._mean_seconds) * 0.3
        return True

    def _hold_back_group(self, failed: Lease, lane: Lane) -> None:
        """Return the messages that follow a failed one in its group: they must not overtake it."""
        group = failed.message.group
        if group is None:
            return
        with self._lock:
            self._failed_groups[group] = failed.until + self._timeout
        rest = lane.take_rest()
        self._leases.give_back([lease for lease in rest if lease.message.group == group])
        lane.waiting.extend(lease for lease in rest if lease.message.group != group)

    # What a further thread does meanwhile.

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
            self._heartbeat.beat(held)
            nobody_polls = self._polling == 0 and self._budget > 0 and lanes and all(lane.is_stuck for lane in lanes)
            if not self._stop.is_set() and (self._offered or nobody_polls):
                self._pool.start()

    def _relieve(self, lane: Lane) -> None:
        """Delete what a lane handled before its slow message, and offer the messages behind it to other threads."""
        done = lane.take_done()
        if done:
            # Not here: it may take long, and the heartbeat must go on.
            self._in_background(lambda: self._leases.delete(done))
        if not self._fifo:
            self._offered.extend(lane.take_rest())

    def _in_background(self, do: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                do()
            except Exception as error:
                self._fail(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

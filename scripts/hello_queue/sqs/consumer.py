"""Receives messages, has them handled, and deletes those that were: it loses none, and rarely handles one twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from hello_queue.aws.clients import READ_TIMEOUT_SECONDS
from hello_queue.sqs.consumer_config import ConsumerConfig
from hello_queue.sqs.deletions import MAX_UNDELETED, Deletions
from hello_queue.sqs.groups import Groups
from hello_queue.sqs.handlers import CannotGoOn, Handler, RetryLater, describe
from hello_queue.sqs.handling import Handled, Handling
from hello_queue.sqs.heartbeat import Heartbeat, timeout_of
from hello_queue.sqs.leases import Counts, Lease, Leases
from hello_queue.sqs.notices import Notice, Report
from hello_queue.sqs.polling import Poller
from hello_queue.sqs.queues import is_fifo
from hello_queue.sqs.read_ahead import ReadAhead
from hello_queue.sqs.retries import RetryPolicy, Stopped
from hello_queue.sqs.task_set import TaskSet
from hello_queue.sqs.transports import Transport

_GRACE_IS_OVER = "the grace period is over: what is not deleted by now is received again after its visibility timeout"


class Consumer:
    """Has the messages of one queue handled: by an ``async def`` handler on the event loop, by any other on threads.

    A message is deleted only after its handler has returned, and only before its visibility timeout expires. A crash at
    any point leaves it in the queue: it is received again after the visibility timeout, which a heartbeat extends while
    a handler runs. In a FIFO queue, one message of each group is handled at a time, in order.

    Args:
        transport: calls SQS.
        heartbeats: calls SQS for heartbeats, over connections of its own.
        handler: see `hello_queue.sqs.handlers`.
        report: see `hello_queue.sqs.notices`.
    """

    def __init__(
        self,
        transport: Transport,
        heartbeats: Transport,
        handler: Handler,
        config: ConsumerConfig,
        report: Report,
    ) -> None:
        self.counts = Counts()
        self._config = config
        self._report = report
        self._groups = Groups() if is_fifo(config.url) else None
        self._loop = asyncio.get_running_loop()
        self._retries = RetryPolicy(config.retry_timeout, report)
        self._poller = Poller(
            transport,
            config.url,
            visibility_timeout=config.visibility_timeout,
            limit=float("inf") if config.limit is None else config.limit,
            empty_after=float("inf") if config.empty_after is None else config.empty_after,
            retry_policy=RetryPolicy(config.retry_timeout, report),
            report=report,
            counts=self.counts,
        )
        self._leases = Leases(
            transport,
            heartbeats,
            config.url,
            visibility_timeout=config.visibility_timeout,
            heartbeat_timeout=timeout_of(config.visibility_timeout),
            retry_policy=self._retries,
            report=report,
            counts=self.counts,
        )
        self._held: set[Lease] = set()
        self._handling = Handling(handler, config.concurrency, self._begin, self._finished, config.failures)
        self._heartbeat = Heartbeat(
            self._leases,
            self._held,
            visibility_timeout=config.visibility_timeout,
            max_handling_seconds=config.max_handling_seconds,
            all_busy=lambda: self._handling.is_busy,
            report=report,
        )
        self._unhandled = 0
        self._ahead = ReadAhead(self._handling.most)
        self._done = Deletions(lambda leases: self._tasks.start(self._delete(leases)))
        self._receiving = TaskSet(self._ended)
        self._returning: list[Lease] = []
        self._tasks = TaskSet(self._ended)
        self._error: Exception | None = None
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()

    async def run(self, grace: float = 30) -> bool:
        """Process until `stop` is called, the limit is reached, or the queue has been empty for long enough.

        Args:
            grace: after a stop, how many seconds handlers have to finish.

        Returns:
            Whether every handler that was called has finished. What it handled and SQS did not delete in time is among
            the counts: "expired" and "undeleted".

        Raises:
            CannotGoOn: a handler raised it.
            botocore.exceptions.ClientError, BotoCoreError: SQS returned an error that is not transient, or that lasted
                too long.
        """
        heartbeat = asyncio.ensure_future(self._heartbeat.run())
        try:
            self._receive_more()
            await self._stopping.wait()
            self._check_idle()
            try:
                await asyncio.wait_for(self._idle.wait(), grace)
            except (asyncio.TimeoutError, TimeoutError):
                self._retries.stop()
                self._report(Notice(_GRACE_IS_OVER))
            await self._receiving.wait(READ_TIMEOUT_SECONDS)  # none is cut off, and what it returns goes back
            await self._tasks.wait(READ_TIMEOUT_SECONDS)
        finally:
            self._handling.is_over = True
            heartbeat.cancel()
        if self._error is not None:
            raise self._error
        return self._idle.is_set()

    def stop(self) -> None:
        """Stop receiving, finish the handlers that have been called, and return all other messages to the queue."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._poller.stop()
        self._return(self._handling.withdraw() + (self._groups.withdraw() if self._groups is not None else []))
        self._done.flush()
        self._check_idle()

    def _fail(self, error: BaseException) -> None:
        if self._error is None and not isinstance(error, Stopped):
            self._error = error if isinstance(error, Exception) else RuntimeError(describe(error))
        self.stop()

    # Receiving.

    def _receive_more(self) -> None:
        """Begin as many receives as are useful."""
        while number := self._poller.reserve(self._room()):
            self._receiving.start(self._receive(number))
        if self._poller.is_exhausted and not self._held:
            self.stop()

    def _room(self) -> float:
        """How many more messages could begin soon."""
        undeleted = len(self._held) - self._unhandled
        if undeleted >= MAX_UNDELETED or (undeleted and self._retries.is_failing):
            return 0  # what is handled now would be handled again
        room = self._ahead.most - self._unhandled - self._poller.asked
        if self._groups is None or not self._groups.any_failed(self._loop.time()):
            return room
        # One at a time: a message that follows a failed one in its group would be received again and again with it,
        # and follow it into the dead-letter queue.
        return min(room, 1 - self._poller.asked)

    async def _receive(self, number: int) -> None:
        leases = await self._poller.receive(number, idle=not self._held)
        self._held.update(leases)
        self._unhandled += len(leases)
        now = self._loop.time()
        if self._stopping.is_set():
            self._return(leases)
            return
        late = [lease for lease in leases if lease.until - now < self._config.visibility_timeout / 2]
        if late:  # the answer took long: the visibility timeout is half over, or they may be visible already
            await self._leases.extend(late)
        if leases:
            self._handling.submit(leases if self._groups is None else self._groups.admit(leases))
        elif self._poller.is_empty and not self._held and self._poller.receives == 0:
            self.stop()
        self._receive_more()

    # Handling.

    def _begin(self, lease: Lease) -> bool:
        now = self._loop.time()
        if self._stopping.is_set() or not lease.is_held(now):
            return False
        lease.started_at = now
        return True

    def _finished(self, results: list[Handled]) -> None:
        """Handlers have finished, or were not called because of a stop or because their messages had expired."""
        ready = [lease for handled, error in results for lease in self._settle(handled, error)]
        if ready:
            self._handling.submit(ready)
        self._receive_more()
        self._check_idle()

    def _settle(self, lease: Lease, error: BaseException | None) -> Sequence[Lease]:
        """Returns the message that can be handled now, where it was behind this one in its group."""
        self._unhandled -= 1
        succeeded = lease.started_at is not None and error is None
        if lease.started_at is not None:
            self._ahead.handled(self._loop.time() - lease.started_at)
        if succeeded:
            lease.handled = True
            self._done.add(lease)
            if self._stopping.is_set():
                self._done.flush()
        elif error is not None:
            self._failed(lease, error)
        elif lease.is_held(self._loop.time()):
            self._return([lease])
        else:
            self._release(lease)
        if self._groups is None:
            return ()
        if succeeded:
            return self._groups.next_after(lease)
        rest = self._groups.hold_back(lease, lease.until + self._config.visibility_timeout)
        self._unhandled -= len(rest)
        self._return(rest)
        return ()

    def _failed(self, lease: Lease, error: BaseException) -> None:
        if isinstance(error, RetryLater):
            self.counts.add("postponed")
            self._tasks.start(self._leases.postpone(lease, error.seconds))
            self._release(lease)
        elif isinstance(error, CannotGoOn):
            self._fail(error)
            self._return([lease])
        else:
            self.counts.add("failed")
            text = f"message {lease.message.id} failed at receive {lease.message.receive_count}: {describe(error)}"
            self._report(Notice(text, level=logging.ERROR, message=lease.message, error=error))
            self._release(lease)

    def _release(self, lease: Lease) -> None:
        lease.over = True
        self._held.discard(lease)

    def _return(self, leases: list[Lease]) -> None:
        """Return messages to the queue. After a stop, a receive in progress could receive them again at once, and each
        time they would come nearer to the dead-letter queue: they are held until there is none."""
        self._returning += leases
        if not (self._stopping.is_set() and self._receiving) and self._returning:
            returning, self._returning = self._returning, []
            self._held.difference_update(returning)
            self._tasks.start(self._leases.give_back(returning))

    async def _delete(self, leases: list[Lease]) -> None:
        try:
            await self._leases.delete(leases)
        finally:
            self._held.difference_update(leases)
        self._receive_more()

    def _ended(self, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)
        self._return([])
        self._check_idle()

    def _check_idle(self) -> None:
        if self._stopping.is_set() and not (self._tasks or self._held or self._done):
            self._idle.set()

"""Calls the handler for received messages: one by one or in batches, on threads or on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from hello_queue.sqs.failures import FailureFile
from hello_queue.sqs.handler_tasks import HandlerTasks
from hello_queue.sqs.handler_threads import HandlerThreads
from hello_queue.sqs.handlers import Handler, Message, batch_size, call, failures_in, is_async
from hello_queue.sqs.leases import Lease

Handled = tuple[Lease, BaseException | None]
"""A lease, and what the handler raised for its message. If ``started_at`` is None, the handler was not called."""


class Handling:
    """Calls the handler, as soon as it is free, for messages in their order.

    Args:
        handler: see `hello_queue.sqs.handlers`.
        concurrency: the maximum number of calls in progress.
        begin: called on any thread for each message just before it is handled. Returns whether it may be.
        finished: called on the event loop for leases whose messages were handled or must not be.
        failures: keeps why messages failed, if that is wanted.

    Attributes:
        most: the maximum number of messages that are handled at once.
        is_over: the event loop closes: handlers are cancelled.
    """

    def __init__(
        self,
        handler: Handler,
        concurrency: int,
        begin: Callable[[Lease], bool],
        finished: Callable[[list[Handled]], None],
        failures: FailureFile | None = None,
    ) -> None:
        size = batch_size(handler)
        self.most = concurrency * (size or 1)
        self._concurrency = concurrency
        self.is_over = False
        self._handler: Any = handler
        self._others = (size or 1) - 1
        self._begin = begin
        self._finished = finished
        self._failures = failures
        self._runner: HandlerTasks[Lease, Any] | HandlerThreads[Lease, Any]
        done = finished if size is None else self._batches_finished
        if is_async(handler):
            self._runner = HandlerTasks(self._await_one if size is None else self._await_batch, concurrency, done)
        else:
            self._runner = HandlerThreads(self._call_one if size is None else self._call_batch, concurrency, done)

    @property
    def is_busy(self) -> bool:
        """Whether no further call can begin."""
        return self._runner.busy >= self._concurrency

    def submit(self, leases: list[Lease]) -> None:
        """Have the messages handled, beginning in this order."""
        self._runner.submit(leases)

    def withdraw(self) -> list[Lease]:
        """Take back those whose handling has not begun."""
        return self._runner.withdraw()

    def _call_one(self, lease: Lease) -> BaseException | None:
        if self._begin(lease):
            try:
                call(self._handler, lease.message)
            except BaseException as error:  # sys.exit, too, fails one message and not this thread
                return self._failed(lease, error)
        return None

    async def _await_one(self, lease: Lease) -> BaseException | None:
        if self._begin(lease):
            try:
                await self._handler(lease.message)
            except BaseException as error:
                return self._failed(lease, self._not_from_outside(error))
        return None

    def _call_batch(self, first: Lease) -> list[Handled]:
        leases, messages = self._batch(first)
        failed: Mapping[str, BaseException] = {}
        if messages:
            try:
                failed = failures_in(call(self._handler, [*messages]), messages)
            except BaseException as error:
                failed = dict.fromkeys((message.id for message in messages), error)
        return self._handled(leases, failed)

    async def _await_batch(self, first: Lease) -> list[Handled]:
        leases, messages = self._batch(first)
        failed: Mapping[str, BaseException] = {}
        if messages:
            try:
                failed = failures_in(await self._handler([*messages]), messages)
            except BaseException as error:
                failed = dict.fromkeys((message.id for message in messages), self._not_from_outside(error))
        return self._handled(leases, failed)

    def _not_from_outside(self, error: BaseException) -> BaseException:
        """The handler's exception. CancelledError, too: what the handler waited for was cancelled."""
        if self.is_over and isinstance(error, asyncio.CancelledError):
            raise error
        return error

    def _batch(self, first: Lease) -> tuple[list[Lease], list[Message]]:
        """The lease and those that wait behind it, and the messages among them that may be handled."""
        leases = [first, *self._runner.withdraw(self._others)]
        return leases, [lease.message for lease in leases if self._begin(lease)]

    def _handled(self, leases: list[Lease], failed: Mapping[str, BaseException]) -> list[Handled]:
        handled: list[Handled] = []
        for lease in leases:
            error = failed.get(lease.message.id) if lease.started_at is not None else None
            handled.append((lease, None if error is None else self._failed(lease, error)))
        return handled

    def _failed(self, lease: Lease, error: BaseException) -> BaseException:
        """Keep the error, on the handler's thread: a slow disk must not delay heartbeats."""
        if self._failures is not None:
            self._failures.add(lease.message, error)
        return error

    def _batches_finished(self, batches: list[tuple[Lease, list[Handled]]]) -> None:
        self._finished([each for _, handled in batches for each in handled])

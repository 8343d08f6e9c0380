"""Deletes handled messages in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hello_queue.sqs.leases import Lease
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES

LINGER_SECONDS = 0.05
"""How long a handled message waits for others, to be deleted in one batch."""
MAX_UNDELETED = 10_000
"""How many handled messages may wait for SQS to delete them before no more are received. It bounds the memory, and is
more than any rate of handling needs while SQS answers."""


class Deletions:
    """Collects handled messages until a batch is full, or the first of it has lingered.

    Args:
        delete: begins to delete a batch.
    """

    def __init__(self, delete: Callable[[list[Lease]], None]) -> None:
        self._delete = delete
        self._waiting: list[Lease] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, lease: Lease) -> None:
        self._waiting.append(lease)
        if len(self._waiting) >= MAX_BATCH_ENTRIES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.flush)

    def flush(self) -> None:
        """Delete what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting, []
        if batch:
            self._delete(batch)

"""How many messages to receive before handlers are free for them."""

from __future__ import annotations

from hello_queue.sqs.polling import MAX_RECEIVES
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES

AHEAD_SECONDS = 0.1
"""No more messages are received than are expected to begin within this time. It is longer than a call takes, and short
because a consumer that stops or crashes leaves one more receive on each message that it held."""


class ReadAhead:
    """Follows how long handlers take.

    Args:
        concurrency: how many messages are handled at once.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._mean_seconds = AHEAD_SECONDS

    def handled(self, seconds: float) -> None:
        """A handler has taken this long."""
        self._mean_seconds += (seconds - self._mean_seconds) * 0.3

    @property
    def most(self) -> float:
        """How many messages may be held that have not been handled."""
        ahead = self._concurrency * max(1.0, AHEAD_SECONDS / max(self._mean_seconds, 1e-5))
        return min(ahead, MAX_BATCH_ENTRIES * MAX_RECEIVES)

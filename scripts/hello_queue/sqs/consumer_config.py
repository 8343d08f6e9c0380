"""How to consume a queue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ConsumerConfig:
    """How to consume a queue.

    Attributes:
        url: the queue's.
        concurrency: the maximum number of messages that are handled at once.
        visibility_timeout: the queue's, in seconds.
        max_handling_seconds: a message is kept for its handler for this long. After that, it is received again.
        limit: stop after this number of messages. None: no limit.
        empty_after: stop when no message has been received for this number of seconds. None: never.
        retry_timeout: for how many seconds to retry transient errors.
    """

    url: str
    concurrency: int = 1
    visibility_timeout: int = 30
    max_handling_seconds: float = 43_200
    limit: int | None = None
    empty_after: float | None = None
    retry_timeout: float = 60

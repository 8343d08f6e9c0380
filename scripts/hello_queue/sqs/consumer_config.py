"""How to consume a queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hello_queue.sqs.failures import FailureFile


@dataclass(frozen=True, kw_only=True)
class ConsumerConfig:
    """How to consume a queue.

    Attributes:
        url: the queue's.
        concurrency: the maximum number of calls of the handler at once.
        visibility_timeout: the queue's, in seconds.
        max_handling_seconds: a message is kept for its handler for this long. After that, it is received again.
        limit: stop after this number of messages. None: no limit.
        empty_after: stop when no message has been received for this number of seconds. None: never.
        retry_timeout: for how many seconds to retry transient errors.
        failures: keeps why messages failed, if that is wanted.
    """

    url: str
    concurrency: int = 1
    visibility_timeout: int = 30
    max_handling_seconds: float = 43_200
    limit: int | None = None
    empty_after: float | None = None
    retry_timeout: float = 60
    failures: FailureFile | None = None

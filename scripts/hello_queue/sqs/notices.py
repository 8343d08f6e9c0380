"""What the consumer and the producer report while they work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hello_queue.sqs.handlers import Message


class Notice(str):
    """One line for a person, with what a log has besides.

    Attributes:
        level: of `logging`.
        message: the message that it is about, if it is about one.
        error: the exception that a handler raised; None: it is about something else.
    """

    __slots__ = ("error", "level", "message")

    def __new__(
        cls,
        text: str,
        *,
        level: int = logging.WARNING,
        message: Message | None = None,
        error: BaseException | None = None,
    ) -> Notice:
        notice = super().__new__(cls, text)
        notice.level = level
        notice.message = message
        notice.error = error
        return notice

    level: int
    message: Message | None
    error: BaseException | None


Report = Callable[[Notice], None]
"""Takes a notice, in any thread. A function that takes any text is one, too."""

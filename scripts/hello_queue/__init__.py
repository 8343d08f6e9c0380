"""Send messages to SQS queues and process them without losing any.

These names are what the author of a handler needs; `hello_queue.sqs.handlers` documents them. They are imported
when they are first used, so that a script has handled Ctrl-C before Python imports anything else
(`hello_queue.cli.quiet_interrupts`). They need only Python's standard library.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without the import
if TYPE_CHECKING:
    from hello_queue.sqs.handlers import CannotGoOn, Message, RetryLater, batch_handler

__all__ = ["CannotGoOn", "Message", "RetryLater", "batch_handler"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from hello_queue.sqs import handlers

        return getattr(handlers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

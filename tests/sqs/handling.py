"""Handlers that the tests pass to process.py by name."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hello_queue.sqs.handlers import CannotGoOn, Message, RetryLater

LEDGER = Path(os.environ.get("LEDGER", os.devnull))


def note(message: Message) -> None:
    """Append process id, receive count, message id, and body to a file, in one write that a kill leaves whole."""
    with LEDGER.open("ab", buffering=0) as ledger:
        ledger.write(f"{os.getpid()} {message.receive_count} {message.id} {message.body}\n".encode())


def slow(message: Message) -> None:
    time.sleep(float(os.environ["SECONDS"]))
    note(message)


def poison(message: Message) -> None:
    if message.body.startswith("poison"):
        raise ValueError("it is poisoned")
    note(message)


def later(message: Message) -> None:
    if message.receive_count == 1:
        raise RetryLater(0)
    note(message)


def die(message: Message) -> None:
    if message.body == "die":
        os._exit(7)
    note(message)


def leave(message: Message) -> None:
    if message.body == "leave":
        sys.exit(3)
    note(message)


def close_stdout(message: Message) -> None:
    sys.stdout.close()
    note(message)


def terminal_codes(message: Message) -> None:
    raise ValueError("\x1b[31mred\x9b\x7f\u202e")


def logs(message: Message) -> None:
    logging.getLogger("orders").info("booked %s\x1b", message.body, extra={"order": message.body})
    logging.debug("not shown")
    poison(message)


def no_reason(message: Message) -> None:
    raise CannotGoOn


def database_gone(message: Message) -> None:
    raise CannotGoOn("no database") from BrokenPipeError(32, "the connection was closed")


def forgot_await(message: Message) -> Coroutine[Any, Any, None]:
    return coroutine(message)


async def coroutine(message: Message) -> None:
    note(message)

"""Handlers that the tests name to process.py."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from hello_queue.sqs.handlers import Message, RetryLater

LEDGER = Path(os.environ.get("LEDGER", os.devnull))


def note(message: Message) -> None:
    """Append the body to a file, in one write that a kill leaves whole."""
    with LEDGER.open("ab", buffering=0) as ledger:
        ledger.write(f"{os.getpid()} {message.receive_count} {message.body}\n".encode())


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
    note(message)
    if message.body == "die":
        os._exit(137)


not_a_function = threading.Lock()

"""A handler that prints each message, and fails on some."""

from __future__ import annotations

from hello_queue import Message


def handle(message: Message) -> None:
    print("handled", message.body)
    if message.body.startswith("bad"):
        raise ValueError(message.body)
    if message.body.startswith("worse"):
        raise KeyError(message.body)

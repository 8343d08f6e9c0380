"""The default handler of `-c workers=lambda`."""

from __future__ import annotations

from hello_queue import Message


def log(message: Message) -> None:
    """Write the message's body and its author (if set) to the log. A body that starts with "fail" fails."""
    if message.body.startswith("fail"):
        raise ValueError(message.body)
    print(message.body if message.author is None else f"{message.body} (author: {message.author})")

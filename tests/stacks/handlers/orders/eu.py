"""A handler for the tests of the workers on AWS Lambda."""

from __future__ import annotations

from hello_queue import Message


def book(message: Message) -> None:
    print("booked", message.body)

"""A file that keeps why messages failed: process.py appends to it, and redrive.py looks up the last failures.

Where process.py logs in JSON, its log is such a file too.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import os
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hello_queue.errors import UsageError
from hello_queue.sqs.handlers import CannotGoOn, Handler, Message, RetryLater, call, describe, is_async

_LONGEST_ERROR = 2_000


@dataclass(frozen=True)
class Failure:
    """Why a message failed.

    Attributes:
        time: when, in UTC (ISO 8601).
        error: the exception's type, text, and where it was raised.
        handler: what handled the message, as ``module:function``; empty: unknown.
        receive_count: how often the message had been received.
    """

    time: str
    error: str
    handler: str = ""
    receive_count: int = 0


class FailureFile:
    """Appends a line of JSON for each failure. Several processes can write to the same file.

    Args:
        path: the file. If it does not exist, it is created with mode 0600: errors can quote what messages contain.
        handler: what handles the messages.
        report: takes a line for a person.

    Raises:
        UsageError: the file cannot be written.
    """

    def __init__(self, path: Path, handler: str, report: Callable[[str], None]) -> None:
        self._path = path
        self._handler = handler
        self._report = report
        self._reported = False
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise UsageError(f"--failures {str(path)!r} cannot be written: {error.strerror}") from None

    def close(self) -> None:
        os.close(self._descriptor)

    def add(self, message: Message, error: BaseException) -> None:
        """Append a failure. If that is not possible, it is reported once, and the consumer goes on."""
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        failure = Failure(now, describe(error)[:_LONGEST_ERROR], self._handler, message.receive_count)
        line = json.dumps({"message_id": message.id, **asdict(failure)}) + "\n"
        try:
            os.write(self._descriptor, line.encode())  # one call: lines of several processes do not mix
        except OSError as write_error:
            if not self._reported:
                self._reported = True
                self._report(f"--failures {str(self._path)!r} cannot be written: {write_error.strerror}")


def recording(handler: Handler, file: FailureFile, max_receive_count: int | None = None) -> Handler:
    """The handler, with each exception by which a message fails added to the file.

    Args:
        max_receive_count: the queue's; None: it has no dead-letter queue. RetryLater at the last receive is a failure,
            too: the message becomes a dead letter.
    """

    def add(message: Message, error: BaseException) -> None:
        last = max_receive_count is not None and message.receive_count >= max_receive_count
        if last or not isinstance(error, RetryLater):
            file.add(message, error)

    if is_async(handler):

        async def handle_async(message: Message) -> None:
            handled: Any = handler(message)
            try:
                await handled
            except (CannotGoOn, asyncio.CancelledError):
                raise
            except BaseException as error:
                add(message, error)
                raise

        return handle_async

    def handle(message: Message) -> None:
        try:
            call(handler, message)
        except CannotGoOn:
            raise
        except BaseException as error:  # sys.exit, too, fails a message
            add(message, error)
            raise

    return handle


def last_failures(path: Path, ids: Collection[str]) -> dict[str, Failure]:
    """The last failure of each of these messages that has one. Lines that are something else are left out.

    Raises:
        UsageError: the file cannot be read.
    """
    found: dict[str, Failure] = {}
    try:
        with path.open("rb") as file:
            for line in file:
                content = _parsed(line)
                if content.get("message_id") in ids and (failure := _failure(content)) is not None:
                    found[content["message_id"]] = failure
    except OSError as error:
        raise UsageError(f"--failures {str(path)!r} cannot be read: {error.strerror}") from None
    return found


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):  # such as the last line of a process that was killed
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("message_id"), str) else {}


def _failure(content: dict[str, Any]) -> Failure | None:
    """The failure in a line of such a file, or in a record of the log with an exception."""
    count = content.get("receive_count")
    is_record = "error" not in content and "exception_name" in content
    error = content.get("message") if is_record else content.get("error")
    if not isinstance(error, str):
        return None
    return Failure(
        time=str(content.get("timestamp" if is_record else "time", "")),
        error=error.partition(f"failed at receive {count}: ")[2] or error,
        handler=str(content.get("handler", "")),
        receive_count=count if isinstance(count, int) else 0,
    )

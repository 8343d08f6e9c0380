"""A file that keeps why messages failed: process.py appends to it, and redrive.py looks up the last failures.

Where process.py logs in JSON, its log is such a file too.
"""

from __future__ import annotations

import datetime
import errno
import json
import os
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hello_queue.errors import UsageError
from hello_queue.sqs.handlers import CannotGoOn, Message, RetryLater, describe

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
        handler: what handles the messages, as ``module:function``.
        report: takes a line for a person.
        max_receive_count: the queue's; None: it has no dead-letter queue.
    """

    def __init__(
        self, path: Path, handler: str, report: Callable[[str], None], max_receive_count: int | None = None
    ) -> None:
        self._path = path
        self._absolute = path.absolute()  # a handler may change the current folder
        self._handler = handler
        self._report = report
        self._max_receive_count = max_receive_count
        self._reported = False

    def create(self) -> None:
        """Create the file if it does not exist.

        Raises:
            UsageError: the file cannot be written.
        """
        try:
            self._append(b"")
        except OSError as error:
            raise UsageError(f"--failures {str(self._path)!r} cannot be written: {error.strerror}") from None

    def add(self, message: Message, error: BaseException) -> None:
        """Append what a handler raised for a message. If that is not possible, it is reported once.

        CannotGoOn is no failure of a message, nor is RetryLater, unless it was the last receive: then the message
        becomes a dead letter.
        """
        is_last = self._max_receive_count is not None and message.receive_count >= self._max_receive_count
        if isinstance(error, CannotGoOn) or (isinstance(error, RetryLater) and not is_last):
            return
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        failure = Failure(now, describe(error)[:_LONGEST_ERROR], self._handler, message.receive_count)
        try:
            self._append(json.dumps({"message_id": message.id, **asdict(failure)}).encode() + b"\n")
        except OSError as write_error:
            if not self._reported:
                self._reported = True
                self._report(f"--failures {str(self._path)!r} cannot be written: {write_error.strerror}")

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._absolute, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # behind part of a line, after which the disk was full
            if os.write(descriptor, line) < len(line):  # one call: lines of several processes do not mix
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)


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

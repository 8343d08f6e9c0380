"""Log records on stderr, each with its time, level and process: as text for a person, or as JSON for a program.

The root logger gets one handler, so that the records of whoever uses `logging` have the same format, and appear once.
"""

from __future__ import annotations

import datetime
import json
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from hello_queue.cli.terminal import printable

if TYPE_CHECKING:
    from hello_queue.sqs.notices import Notice

LOGGER = logging.getLogger("hello_queue")

_LIBRARIES = ("boto3", "botocore", "urllib3", "asyncio")
"""Loggers whose records below WARNING say nothing about messages."""


def start(shape: str) -> None:
    """Log from now on, in this process.

    Args:
        shape: a name in SHAPES.
    """
    root = logging.getLogger()
    if any(isinstance(handler.formatter, _Formatter) for handler in root.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(SHAPES[shape]))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _log_bug
    threading.excepthook = _log_end_of_thread


def started() -> bool:
    """Whether this process logs."""
    return sys.excepthook is _log_bug


def report(notice: Notice) -> None:
    """Log what the consumer reports."""
    about = notice.message
    fields = {} if about is None else {"message_id": about.id, "receive_count": about.receive_count}
    LOGGER.log(notice.level, "%s", notice, exc_info=notice.error, extra=fields)


def line(shape: str, text: str) -> str:
    """How a warning is shown. It takes no lock, so that a signal handler can call it."""
    return SHAPES[shape](LOGGER.makeRecord(LOGGER.name, logging.WARNING, "", 0, text, (), None))


def as_text(record: logging.LogRecord) -> str:
    """``2026-11-25T08:00:00.000Z ERROR hello_queue[4711]: what happened``, with the number of the process. A traceback
    follows on indented lines, which cannot pass for records."""
    head = f"{_time(record)} {record.levelname} {printable(record.name)}[{record.process}]: "
    lines = [head + printable(_message(record)), *(f"  {printable(each)}" for each in _details(record))]
    return "\n".join(lines)


def as_json(record: logging.LogRecord) -> str:
    """One line of ASCII."""
    fields: dict[str, Any] = {
        name: _plain(value) for name, value in record.__dict__.items() if name not in _STANDARD_ATTRIBUTES
    }
    fields |= {
        "timestamp": _time(record),
        "level": record.levelname,
        "logger": record.name,
        "process": record.process,
        "message": _message(record),
    }
    if record.exc_info and record.exc_info[0] is not None:
        fields["exception_name"] = record.exc_info[0].__name__
    details = "\n".join(_details(record))
    if details:
        fields["exception"] = details
    return json.dumps(fields).replace("\x7f", "\\u007f")


SHAPES: dict[str, Callable[[logging.LogRecord], str]] = {"text": as_text, "json": as_json}

_STANDARD_ATTRIBUTES = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"}
"""What every record has; all else are a caller's ``extra`` fields."""


class _Formatter(logging.Formatter):
    def __init__(self, shape: Callable[[logging.LogRecord], str]) -> None:
        super().__init__()
        self._shape = shape

    def format(self, record: logging.LogRecord) -> str:
        return self._shape(record)


def _time(record: logging.LogRecord) -> str:
    at = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # the caller's arguments do not fit its format
        return f"a log record cannot be shown: {type(error).__name__} ({record.pathname}:{record.lineno})"


def _details(record: logging.LogRecord) -> Iterator[str]:
    """The lines of the traceback, and of the stack if the caller asked for it."""
    if record.exc_info and record.exc_info[1] is not None:
        for part in traceback.format_exception(*record.exc_info):
            yield from part.rstrip("\n").split("\n")
    if record.stack_info:
        yield from record.stack_info.split("\n")


def _plain(value: Any) -> Any:
    """The value if it is valid JSON, otherwise its text."""
    try:
        json.dumps(value, allow_nan=False)
    except Exception:
        try:
            return str(value)
        except Exception:
            return f"({type(value).__name__})"
    return value


def _log_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    LOGGER.critical("the process ends because of %s", kind.__name__, exc_info=(kind, error, trace))


def _log_end_of_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_type is not SystemExit and arguments.exc_value is not None:
        LOGGER.error("a thread has ended because of %s", arguments.exc_type.__name__, exc_info=arguments.exc_value)

"""Message handlers: one contract for process.py and for the workers on AWS Lambda.

A handler is a function that takes a `Message`. An ``async def`` function runs on the event loop, together with others;
any other function runs on a thread.

- It returns (any value that is not awaitable and not a generator): the message is done and is deleted.
- It raises `RetryLater(seconds)`: the message is received again after that time.
- It raises `CannotGoOn`: the message is returned to the queue, and no further messages are received. Raise it when what
  every message needs is gone, such as a database.
- It raises anything else, SystemExit included: the message has failed. It is received again after the queue's
  visibility timeout.

A function marked with `batch_handler` takes a list of messages instead of one, for example for one insert into a
database. What it raises is about all of them. It returns None if all are done. If single messages have failed, it
returns their exceptions by message id, with the same meanings, and the others are done::

    @batch_handler(25)
    def book(messages: list[Message]) -> dict[str, Exception]:
        return {message.id: RetryLater(60) for message in messages if not insert(message)}

A message that has been received as often as the queue's maximum receive count moves to the dead-letter queue. SQS
delivers messages at least once, so a handler must tolerate a message that it has already handled. With concurrency, a
handler is called for several messages at once.

This module needs only Python's standard library, so that it can be deployed with a handler.
"""

from __future__ import annotations

import base64
import importlib
import inspect
import traceback
import types
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar


class RetryLater(Exception):
    """Raised by a handler to receive the message again after a delay.

    Args:
        seconds: 0 to 43,200, SQS's limits; 0 is at once.

    Raises:
        ValueError: ``seconds`` is not an integer within these limits.
    """

    def __init__(self, seconds: int) -> None:
        if type(seconds) is not int or not 0 <= seconds <= 43_200:
            raise ValueError(f"{seconds!r} is not a whole number of seconds from 0 to 43,200")
        super().__init__(f"retry in {seconds} s")
        self.seconds = seconds


class CannotGoOn(Exception):
    """Raised by a handler when no message can be handled any more. Give the reason as text, or raise it ``from`` the
    exception that is the reason."""

    def reason(self) -> str:
        """The text, and the exception that this was raised from, in one line."""
        text = " ".join(str(self).split())
        cause = describe(self.__cause__) if self.__cause__ is not None else ""
        if text and cause:
            return f"{text} ({cause})"
        return text or cause or "CannotGoOn was raised without a reason"


class InvalidHandler(Exception):
    """The handler cannot be loaded. The message is one line."""


class NothingHandled(Exception):
    """The handler returned a coroutine or a generator: its code has not run."""


class InvalidResult(Exception):
    """A handler of batches returned something else than None or exceptions by message id."""


@dataclass(frozen=True)
class Message:
    """A received message.

    Attributes:
        id: SQS's message id.
        body: the text.
        attributes: message attributes by name: text for String and Number, bytes for Binary.
        receive_count: the number of times it has been received, this time included.
        sent_at: when it was sent, in seconds since the epoch; None if SQS did not return it.
        group: the message group, or None.
    """

    id: str
    body: str
    attributes: Mapping[str, str | bytes] = field(default_factory=dict)
    receive_count: int = 1
    sent_at: float | None = None
    group: str | None = None

    @property
    def author(self) -> str | None:
        """The attribute Author, if it is set and is text."""
        author = self.attributes.get("Author")
        return author if isinstance(author, str) else None


Handler = Callable[[Any], object]
"""Takes a `Message`, or, if it is marked with `batch_handler`, a list of them."""

MAX_BATCH_SIZE = 1_000
_Function = TypeVar("_Function", bound=Callable[..., object])


def batch_handler(most: int) -> Callable[[_Function], _Function]:
    """Mark a function that handles several messages at once.

    It gets those that have been received when it is called, and does not wait for more. In a FIFO queue, no two of them
    are of the same group.

    Args:
        most: the maximum number of messages in a batch, 1 to 1,000.

    Raises:
        ValueError: ``most`` is not an integer within these limits.
    """
    if type(most) is not int or not 1 <= most <= MAX_BATCH_SIZE:
        raise ValueError(f"{most!r} is not a number of messages from 1 to {MAX_BATCH_SIZE:,}")

    def mark(function: _Function) -> _Function:
        setattr(function, _BATCH_SIZE, most)
        return function

    return mark


def batch_size(handler: Handler) -> int | None:
    """The maximum number of messages that a handler takes as a list; None: it takes a single message."""
    return getattr(handler, _BATCH_SIZE, None)


_BATCH_SIZE = "hello_queue_batch_size"


def is_async(handler: Handler) -> bool:
    """Whether a handler is a coroutine function (``async def``), or an object whose ``__call__`` is one."""
    return any(inspect.iscoroutinefunction(each) for each in (handler, type(handler).__call__))


def from_receive(received: Mapping[str, Any]) -> Message:
    """A message as ReceiveMessage returns it."""
    attributes = received.get("MessageAttributes")
    values = (
        {name: _value(each, "StringValue", "BinaryValue") for name, each in attributes.items()} if attributes else {}
    )
    return _message(received["MessageId"], received["Body"], values, received.get("Attributes", {}))


def from_lambda(record: Mapping[str, Any]) -> Message:
    """A message as an event source mapping passes it to AWS Lambda."""
    values: dict[str, str | bytes] = {}
    for name, each in record.get("messageAttributes", {}).items():
        value = _value(each, "stringValue", "binaryValue")
        binary = each.get("dataType", "").startswith("Binary")
        values[name] = base64.b64decode(value) if binary else value
    return _message(record["messageId"], record["body"], values, record.get("attributes", {}))


def load_handler(name: str) -> Handler:
    """Import the function that ``module:function`` names.

    Raises:
        InvalidHandler: the name is invalid, the module cannot be imported, or it has no such function. It is raised
            from whatever the module raised.
    """
    module_name, colon, function_name = name.partition(":")
    if not (module_name and colon and function_name):
        raise InvalidHandler(f"{name!r} is not of the form module:function")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise InvalidHandler(
            f"{module_name!r} is not the name of a module: write orders:book for the function book in ./orders.py"
        )
    function = getattr(_import(module_name), function_name, None)
    if not callable(function):
        raise InvalidHandler(f"the module {module_name!r} has no function {function_name!r}")
    unsupported = _unsupported(function)
    if unsupported:
        raise InvalidHandler(f"{name!r} is {unsupported}: a handler must be a function that does its work when called")
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:  # each message would fail, until all of them are dead letters
        raise InvalidHandler(f"{name!r} cannot be called with a message: {error}") from None
    except ValueError:
        pass  # a function in C need not have a signature
    handler: Handler = function
    return handler


def call(handler: Handler, argument: Message | list[Message]) -> object:
    """Have a message or a batch handled. Returns what the handler returns.

    Raises:
        NothingHandled: the handler returned a coroutine or a generator.
        BaseException: whatever the handler raises.
    """
    result = handler(argument)
    if result is not None and isinstance(result, _NOT_RUN):
        if isinstance(result, (types.CoroutineType, types.GeneratorType)):
            result.close()
        raise NothingHandled(f"the handler returned a {type(result).__name__}, whose code has not run")
    return result


def failures_in(result: object, messages: Iterable[Message]) -> dict[str, BaseException]:
    """The exceptions by message id that a handler of batches returned.

    Raises:
        InvalidResult: it returned something else than None or exceptions by message id.
    """
    if result is None:
        return {}
    if not isinstance(result, Mapping):
        raise InvalidResult(f"the handler returned a {type(result).__name__}, not None or exceptions by message id")
    ids = {message.id for message in messages}
    for id, error in result.items():
        if id not in ids:
            raise InvalidResult(f"the handler returned {str(id)[:60]!r}, which is not the id of a message of its batch")
        if not isinstance(error, BaseException):
            raise InvalidResult(f"the handler returned a {type(error).__name__} for message {id}, not an exception")
    return dict(result)


def describe(error: BaseException) -> str:
    """An exception's type, text, and where it was raised, in one line."""
    try:
        text = " ".join(str(error).split())
    except BaseException:  # the exception is the handler's, and so is its __str__
        text = "(its text cannot be shown)"
    name = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{name}: {error.msg} ({error.filename}:{error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{name}: {text}{where}" if text else f"{name}{where}"


_NOT_RUN = (Awaitable, types.GeneratorType, types.AsyncGeneratorType)


def _import(name: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise InvalidHandler(
                f"there is no module {name!r} in this folder or among the installed packages"
            ) from error
        raise InvalidHandler(f"the module {name!r} cannot be imported: {describe(error)}") from error
    except BaseException as error:  # a module may even call sys.exit
        raise InvalidHandler(f"the module {name!r} cannot be imported: {describe(error)}") from error


def _unsupported(function: Callable[..., object]) -> str | None:
    """What a callable is, if calling it would not run its code."""
    if inspect.isclass(function):
        return "a class"
    for each in (function, type(function).__call__):  # an object may be callable
        if inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
            return "a generator function (yield)"
    return None


def _message(id: str, body: str, attributes: Mapping[str, str | bytes], system: Mapping[str, str]) -> Message:
    sent = system.get("SentTimestamp")
    return Message(
        id=id,
        body=body,
        attributes=attributes,
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        sent_at=int(sent) / 1000 if sent else None,
        group=system.get("MessageGroupId"),
    )


def _value(attribute: Mapping[str, Any], text: str, binary: str) -> Any:
    value = attribute.get(text)
    return attribute[binary] if value is None else value

"""The contract between the code that receives messages and the code that handles them."""

from __future__ import annotations

import functools
import types
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from hello_queue.sqs import lambda_worker
from hello_queue.sqs.handlers import (
    CannotGoOn,
    InvalidHandler,
    InvalidResult,
    Message,
    NothingHandled,
    RetryLater,
    batch_handler,
    batch_size,
    call,
    describe,
    failures_in,
    from_lambda,
    from_receive,
    is_async,
    load_handler,
)


def test_a_received_message_and_a_lambda_record_are_the_same_message() -> None:
    received = {
        "MessageId": "1",
        "Body": "b",
        "ReceiptHandle": "r",
        "Attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": "1700000000500", "MessageGroupId": "g"},
        "MessageAttributes": {
            "Author": {"DataType": "String", "StringValue": "Ada"},
            "n": {"DataType": "Number", "StringValue": "5"},
            "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    }
    record = {
        "messageId": "1",
        "body": "b",
        "receiptHandle": "r",
        "attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": "1700000000500", "MessageGroupId": "g"},
        "messageAttributes": {
            "Author": {"dataType": "String", "stringValue": "Ada"},
            "n": {"dataType": "Number", "stringValue": "5"},
            "b": {"dataType": "Binary", "binaryValue": "AP8="},
        },
    }
    attributes: dict[str, str | bytes] = {"Author": "Ada", "n": "5", "b": b"\x00\xff"}
    expected = Message("1", "b", attributes, receive_count=2, sent_at=1_700_000_000.5, group="g")
    assert from_receive(received) == from_lambda(record) == expected
    assert expected.author == "Ada"


def test_a_message_with_only_id_and_body() -> None:
    assert from_receive({"MessageId": "1", "Body": "b"}) == Message("1", "b")
    assert Message("1", "b").author is None
    assert Message("1", "b", {"Author": b"\x00"}).author is None


@pytest.mark.parametrize("seconds", [-1, 43_201, 1.5, True, "5"])
def test_a_delay_beyond_the_limits_of_sqs(seconds: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 43,200"):
        RetryLater(seconds)


@pytest.mark.parametrize("seconds", [0, 43_200])
def test_a_delay_at_the_limits_of_sqs(seconds: int) -> None:
    assert RetryLater(seconds).seconds == seconds


def test_a_handler_by_its_name() -> None:
    assert load_handler("os.path:basename")("/a/b") == "b"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "not of the form module:function"),
        ("os", "not of the form module:function"),
        (":f", "not of the form module:function"),
        ("os:", "not of the form module:function"),
        ("./bad.py:f", "'./bad.py' is not the name of a module"),
        (".bad:f", "'.bad' is not the name of a module"),
        ("..:x", "'..' is not the name of a module"),
        ("no_such_module:f", "no module 'no_such_module'"),
        ("os.no_such:f", "no module 'os.no_such'"),
        ("os:no_such", "no function 'no_such'"),
        ("os:sep", "no function 'sep'"),
    ],
)
def test_a_name_without_a_handler(name: str, reason: str) -> None:
    with pytest.raises(InvalidHandler) as refused:
        load_handler(name)
    assert reason in str(refused.value)


@pytest.mark.parametrize("missing", ["no_such_library", "need", "needy.part"])
def test_a_module_that_lacks_another_module(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report names the missing one, also where its name is the beginning of the handler's module."""
    (tmp_path / "needy.py").write_text(f"import {missing}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InvalidHandler, match=f"'needy' cannot be imported: .*No module named '{missing}'"):
        load_handler("needy:f")


AWAITED: list[str] = []


async def coroutine(message: Message) -> None:
    if message.body == "fail":
        raise ValueError(message.body)
    AWAITED.append(message.body)


def generator(message: Message) -> Iterator[None]:
    yield


async def asynchronous_generator(message: Message) -> AsyncIterator[None]:
    yield


class Class:
    def __init__(self, message: Message) -> None:
        pass


class AsynchronousCallable:
    async def __call__(self, message: Message) -> None:
        await coroutine(message)


partial = functools.partial(coroutine)
instance = AsynchronousCallable()


@pytest.mark.parametrize("name", ["coroutine", "partial", "instance"])
def test_an_async_handler_is_awaited(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On AWS Lambda; tests/sqs/test_async_handlers.py has the consumer's."""
    assert is_async(load_handler(f"{__name__}:{name}"))
    monkeypatch.setenv("HANDLER", f"{__name__}:{name}")
    records = [{"messageId": body, "body": body, "eventSourceARN": "arn:test"} for body in ("awaited", "fail")]
    assert lambda_worker.handle({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "fail"}]}
    assert AWAITED.pop() == "awaited"


@pytest.mark.parametrize("handler", [print, functools.partial(print), Message])
def test_a_plain_function_is_not_async(handler: Callable[[Message], object]) -> None:
    assert not is_async(handler)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("generator", "a generator function"),
        ("asynchronous_generator", "a generator function"),
        ("Class", "a class"),
    ],
)
def test_a_handler_whose_code_would_not_run_is_refused(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By process.py and by the workers on AWS Lambda."""
    with pytest.raises(InvalidHandler, match=f"'{__name__}:{name}' is {kind}"):
        load_handler(f"{__name__}:{name}")
    monkeypatch.setenv("HANDLER", f"{__name__}:{name}")
    with pytest.raises(InvalidHandler, match=f"is {kind}"):
        lambda_worker.handle({"Records": []}, None)


@pytest.mark.parametrize(
    ("handler", "kind"),
    [(coroutine, "coroutine"), (generator, "generator"), (asynchronous_generator, "async_generator")],
)
def test_a_result_whose_code_has_not_run_is_a_failure(handler: Callable[[Message], object], kind: str) -> None:
    with pytest.raises(NothingHandled, match=f"returned a {kind}"):
        call(lambda message: handler(message), Message("1", "b"))


@pytest.mark.parametrize("result", [None, "text", 0, [1], types.SimpleNamespace()])
def test_any_other_result_is_a_success(result: object) -> None:
    call(lambda message: result, Message("1", "b"))


def leave(message: Message) -> None:
    if message.body == "leave":
        raise SystemExit(3)


def test_sys_exit_fails_one_message_of_a_lambda_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDLER", f"{__name__}:leave")
    records = [{"messageId": body, "body": body, "eventSourceARN": "arn:test"} for body in ("a", "leave", "b")]
    answer = lambda_worker.handle({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "leave"}]}


def test_an_exception_is_described_in_one_line() -> None:
    try:
        raise ValueError("two\n lines")
    except ValueError as error:
        described = describe(error)
    assert described.startswith("ValueError: two lines (")
    assert "test_handlers.py:" in described
    assert describe(KeyError()) == "KeyError"


def test_the_reason_of_cannot_go_on() -> None:
    error = CannotGoOn("no database")
    assert error.reason() == "no database"
    error.__cause__ = OSError("refused")
    assert error.reason() == "no database (OSError: refused)"
    assert CannotGoOn().reason() == "CannotGoOn was raised without a reason"


@pytest.mark.parametrize("most", [1, 2, 1_000])
def test_a_handler_of_batches(most: int) -> None:
    @batch_handler(most)
    def handler(messages: list[Message]) -> None:
        pass

    assert batch_size(handler) == most


@pytest.mark.parametrize("most", [0, -1, 1_001, 2.0, True, "5", None])
def test_an_invalid_size_of_batches(most: int) -> None:
    with pytest.raises(ValueError, match="is not a number of messages from 1 to 1,000"):
        batch_handler(most)


def test_other_handlers_take_one_message() -> None:
    assert batch_size(lambda message: None) is None


def test_failures_in_what_a_handler_of_batches_returns() -> None:
    messages, error = [Message("1", "a"), Message("2", "b")], ValueError("x")
    assert failures_in(None, messages) == failures_in({}, messages) == {}
    assert failures_in({"2": error}, messages) == {"2": error}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (True, "the handler returned a bool, not None or exceptions by message id"),
        (["1"], "the handler returned a list, not None or exceptions by message id"),
        ({"2": ValueError()}, "the handler returned '2', which is not the id of a message of its batch"),
        ({"1": "text"}, "the handler returned a str for message 1, not an exception"),
        ({"1": ValueError}, "the handler returned a type for message 1, not an exception"),
    ],
)
def test_an_invalid_result_of_a_batch(result: object, message: str) -> None:
    with pytest.raises(InvalidResult, match=message):
        failures_in(result, [Message("1", "a")])

"""The contract between what receives messages and what handles them."""

from __future__ import annotations

import pytest

from hello_queue.sqs.handlers import Message, NoSuchHandler, RetryLater, from_lambda, from_receive, load_handler


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


def test_a_message_without_anything_else() -> None:
    assert from_receive({"MessageId": "1", "Body": "b"}) == Message("1", "b")
    assert Message("1", "b").author is None
    assert Message("1", "b", {"Author": b"\x00"}).author is None


@pytest.mark.parametrize("seconds", [-1, 43_201, 1.5, True, "5"])
def test_a_wish_that_sqs_does_not_fulfil(seconds: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 43,200"):
        RetryLater(seconds)


@pytest.mark.parametrize("seconds", [0, 43_200])
def test_a_wish_that_it_does(seconds: int) -> None:
    assert RetryLater(seconds).seconds == seconds


def test_a_handler_by_its_name() -> None:
    assert load_handler("os.path:basename")("/a/b") == "b"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "takes module:function"),
        ("os", "takes module:function"),
        (":f", "takes module:function"),
        ("os:", "takes module:function"),
        ("no_such_module:f", "no module 'no_such_module'"),
        ("os.no_such:f", "no module 'os.no_such'"),
        ("os:no_such", "no function 'no_such'"),
        ("os:sep", "no function 'sep'"),
    ],
)
def test_a_name_of_no_handler(name: str, said: str) -> None:
    with pytest.raises(NoSuchHandler) as refused:
        load_handler(name)
    assert said in str(refused.value)


def test_a_module_that_lacks_another_module_says_which(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needy.py").write_text("import no_such_library\n")  # type: ignore[operator]
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        load_handler("needy:f")

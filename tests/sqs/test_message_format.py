"""Lines become messages, and messages become batches within the limits of SQS."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from hello_queue.errors import UsageError
from hello_queue.sqs.batches import MAX_BATCH_BYTES, Entry, batches
from hello_queue.sqs.message_format import MessageFormat
from hello_queue.sqs.messages import MAX_MESSAGE_BYTES, message, size_of
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES

TEXT = MessageFormat()
JSON = MessageFormat(json_lines=True)


def parameters(raw: str, **settings: Any) -> dict[str, Any]:
    return MessageFormat(json_lines=True, **settings).entry(1, raw.encode()).parameters


def test_a_line_of_text_is_the_body_unchanged() -> None:
    entry = TEXT.entry(7, ' {"body": "ü🚀"}\t'.encode())
    assert entry.line == 7
    assert entry.parameters == {"MessageBody": ' {"body": "ü🚀"}\t'}


def test_a_json_line_sets_every_parameter() -> None:
    made = parameters(
        '{"body": "b", "author": "Ada", "attributes": {"n": 1.5, "t": "x", "b": {"base64": "AAE="}},'
        ' "delay": 900, "group": "g", "deduplication_id": "d"}'
    )
    assert made == {
        "MessageBody": "b",
        "MessageAttributes": {
            "n": {"DataType": "Number", "StringValue": "1.5"},
            "t": {"DataType": "String", "StringValue": "x"},
            "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
            "Author": {"DataType": "String", "StringValue": "Ada"},
        },
        "DelaySeconds": 900,
        "MessageGroupId": "g",
        "MessageDeduplicationId": "d",
    }


def test_options_are_defaults_for_json_lines() -> None:
    options: dict[str, Any] = {"author": "Ada", "delay": 5, "group": "g"}
    assert parameters('{"body": "b"}', **options)["DelaySeconds"] == 5
    made = parameters('{"body": "b", "author": "Bob", "delay": 0, "group": "h"}', **options)
    assert made["MessageAttributes"]["Author"]["StringValue"] == "Bob"
    assert made["DelaySeconds"] == 0
    assert made["MessageGroupId"] == "h"


def test_messages_for_a_fifo_queue_get_a_group_and_a_deduplication_id_if_needed() -> None:
    made = parameters('{"body": "b"}', fifo=True, deduplication=True)
    assert made["MessageGroupId"] == "default"
    assert (
        made["MessageDeduplicationId"]
        != parameters('{"body": "b"}', fifo=True, deduplication=True)["MessageDeduplicationId"]
    )
    assert "MessageDeduplicationId" not in parameters('{"body": "b"}', fifo=True)
    assert (
        parameters('{"body": "b", "deduplication_id": "d"}', fifo=True, deduplication=True)["MessageDeduplicationId"]
        == "d"
    )


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "blank line"),
        (b" \t", "blank line"),
        (b"{", "invalid JSON"),
        (b"[1]", "not a JSON object"),
        (b"{}", 'not a JSON object with a "body"'),
        (b'{"bdy": "b"}', "unknown key 'bdy': the keys are body"),
        (b'{"body": {"item": 3}}', '"body" is an object: it must be text (put the JSON into a string)'),
        (b'{"body": [3]}', '"body" is an array: it must be text (put'),
        (b'{"body": ""}', "is empty"),
        (b'{"body": 5}', '"body" is the number 5: it must be text'),
        (b'{"body": null}', '"body" is null: it must be text'),
        (b'{"body": "\\u0001"}', "at position 0"),
        (b'{"body": "\\ud800"}', "at position 0"),
        (b'{"body": "b", "Body": "c"}', "unknown key 'Body': the keys are body"),
        (b'{"body": "b", "delay": -1}', "from 0 to 900"),
        (b'{"body": "b", "delay": 901}', "from 0 to 900"),
        (b'{"body": "b", "delay": "5"}', "from 0 to 900"),
        (b'{"body": "b", "delay": true}', "from 0 to 900"),
        (b'{"body": "b", "group": ""}', "the group ''"),
        (b'{"body": "b", "group": "a b"}', "the group 'a b'"),
        (b'{"body": "b", "deduplication_id": 5}', "the deduplication ID '5'"),
        (b'{"body": "b", "attributes": 5}', '"attributes" is the number 5: it must be a JSON object'),
        (b'{"body": "b", "attributes": {"": "x"}}', "invalid attribute name ''"),
        (b'{"body": "b", "attributes": {"aws.x": "x"}}', "invalid attribute name 'aws.x'"),
        (b'{"body": "b", "attributes": {"a..b": "x"}}', "invalid attribute name 'a..b'"),
        (b'{"body": "b", "attributes": {"a": ""}}', "the attribute a is empty"),
        (b'{"body": "b", "attributes": {"a": true}}', "the attribute a is true: it must be text, a number or bytes"),
        (b'{"body": "b", "attributes": {"a": {"base64": "?"}}}', "the attribute 'a' has invalid base64"),
        (b'{"body": "b", "attributes": {"a": {"base64": ""}}}', "the attribute a is empty"),
        (b'{"body": "b", "attributes": {"a": {"hex": ""}}}', "the attribute 'a' is {'hex': ''}"),
        (b"\xff", "invalid UTF-8"),
        (b"[" * 100_000, "invalid JSON"),
        (b'{"body": "a", "body": "b"}', "the key 'body' appears twice"),
        (b'{"body": "b", "attributes": {"n": 1, "n": 2}}', "the key 'n' appears twice"),
        (b'{"body": "b", "attributes": []}', '"attributes" is an array: it must be a JSON object'),
        (b'{"body": "b", "attributes": ""}', "it must be a JSON object"),
        (b'{"body": "b", "attributes": false}', "it must be a JSON object"),
        (b'{"body": "b", "author": 5}', "the author is the number 5: it must be text"),
        (b'{"body": "b", "author": ["Ada"]}', "the author is an array: it must be text"),
        (b'{"body": "b", "author": "Ada", "attributes": {"Author": "Bob"}}', "both an author and an attribute Author"),
        (b'{"body": "b", "attributes": {"n": NaN}}', "NaN is not a number"),
        (b'{"body": "b", "attributes": {"n": -Infinity}}', "-Infinity is not a number"),
        (b'{"body": "b", "attributes": {"n": 1e400}}', "the attribute n is inf: SQS accepts numbers from"),
        (b'{"body": "b", "attributes": {"n": 1.1e126}}', "SQS accepts numbers from 1e-128 to 1e126"),
        (b'{"body": "b", "attributes": {"n": -1e-129}}', "SQS accepts numbers from"),
        (b'{"body": "b", "attributes": {"n": 1' + b"0" * 300 + b"1}}", "SQS accepts numbers from"),
    ],
)
def test_invalid_json_lines(raw: bytes, reason: str) -> None:
    with pytest.raises(UsageError) as raised:
        JSON.entry(1, raw)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\xff", b"x" * (MAX_MESSAGE_BYTES + 1)])
def test_invalid_text_lines(raw: bytes) -> None:
    with pytest.raises(UsageError):
        TEXT.entry(1, raw)


@pytest.mark.parametrize("number", ["0", "-0.0", "1e126", "1e-128", "-1e126", "12345678901234567890123456789012345678"])
def test_numbers_within_the_limits_of_sqs(number: str) -> None:
    made = parameters(f'{{"body": "b", "attributes": {{"n": {number}}}}}')
    assert float(made["MessageAttributes"]["n"]["StringValue"]) == float(number)


def test_an_author_among_the_attributes_overrides_the_option() -> None:
    made = parameters('{"body": "b", "attributes": {"Author": "Bob"}}', author="Ada")
    assert made["MessageAttributes"] == {"Author": {"DataType": "String", "StringValue": "Bob"}}


@pytest.mark.parametrize("delay", [0, 5])
def test_a_message_in_a_fifo_queue_has_no_delay(delay: int) -> None:
    """SQS rejects DelaySeconds there, 0 included."""
    with pytest.raises(UsageError, match=f"the delay {delay}: messages in a FIFO queue have the queue's delay"):
        parameters(f'{{"body": "b", "delay": {delay}}}', fifo=True)


def test_blank_lines() -> None:
    assert TEXT.is_blank(b"")
    assert not TEXT.is_blank(b" ")
    assert JSON.is_blank(b" \t")
    with pytest.raises(UsageError, match=r"^blank line$"):
        TEXT.entry(1, b"")


def test_at_most_ten_attributes() -> None:
    ten = {f"a{number}": "x" for number in range(10)}
    assert len(TEXT.parameters("b", attributes=ten)["MessageAttributes"]) == 10
    with pytest.raises(UsageError, match="11 attributes"):
        TEXT.parameters("b", attributes={**ten, "one": "more"})


def test_attributes_count_with_name_type_and_value() -> None:
    assert size_of(TEXT.parameters("é", attributes={"n": 5, "b": b"123"})) == 2 + (1 + 6 + 1) + (1 + 6 + 3)


def test_batches_keep_the_order_and_the_limits() -> None:
    chance = random.Random(1)  # noqa: S311 (a repeatable test)
    sizes = [chance.choice([1, 1000, 100_000, 500_000, MAX_BATCH_BYTES]) for _ in range(500)]
    entries = [Entry(line, b"", {}, size) for line, size in enumerate(sizes, 1)]
    made = list(batches(entries))
    assert list(itertools.chain(*made)) == entries
    assert all(len(batch) <= MAX_BATCH_ENTRIES for batch in made)
    assert all(sum(entry.size for entry in batch) <= MAX_BATCH_BYTES for batch in made)
    for batch, following in itertools.pairwise(made):
        room = MAX_BATCH_BYTES - sum(entry.size for entry in batch)
        assert len(batch) == MAX_BATCH_ENTRIES or following[0].size > room


def test_the_largest_message() -> None:
    attribute_bytes = len("AuthorStringAda")
    assert message("x" * MAX_MESSAGE_BYTES)
    assert message("x" * (MAX_MESSAGE_BYTES - attribute_bytes), "Ada")
    for body in ("x" * (MAX_MESSAGE_BYTES + 1), "é" * (MAX_MESSAGE_BYTES // 2 + 1)):
        with pytest.raises(UsageError, match="1,048,576"):
            message(body)
    with pytest.raises(UsageError, match="1,048,577"):
        message("x" * (MAX_MESSAGE_BYTES - attribute_bytes + 1), "Ada")

"""Lines become messages, and messages batches that SQS takes."""

from __future__ import annotations

import itertools
import os
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hello_queue.errors import UsageError
from hello_queue.sqs.entries import MAX_BATCH_BYTES, Entry, MessageFormat, batches
from hello_queue.sqs.lines import MAX_LINE_BYTES, LineBatches, TooLong, read_lines
from hello_queue.sqs.messages import MAX_MESSAGE_BYTES, size_of
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES

TEXT = MessageFormat()
JSON = MessageFormat(json_lines=True)


def parameters(raw: str, **settings: Any) -> dict[str, Any]:
    return MessageFormat(json_lines=True, **settings).entry(1, raw.encode()).parameters


def test_a_line_of_text_is_a_body_as_it_is() -> None:
    entry = TEXT.entry(7, ' {"body": "ü🚀"}\t'.encode())
    assert entry.line == 7
    assert entry.parameters == {"MessageBody": ' {"body": "ü🚀"}\t'}


def test_a_json_line_says_everything() -> None:
    said = parameters(
        '{"body": "b", "author": "Ada", "attributes": {"n": 1.5, "t": "x", "b": {"base64": "AAE="}},'
        ' "delay": 900, "group": "g", "deduplication_id": "d"}'
    )
    assert said == {
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


def test_what_a_line_does_not_say_comes_from_the_options() -> None:
    options: dict[str, Any] = {"author": "Ada", "delay": 5, "group": "g"}
    assert parameters('{"body": "b"}', **options)["DelaySeconds"] == 5
    said = parameters('{"body": "b", "author": "Bob", "delay": 0, "group": "h"}', **options)
    assert said["MessageAttributes"]["Author"]["StringValue"] == "Bob"
    assert said["DelaySeconds"] == 0
    assert said["MessageGroupId"] == "h"


def test_a_fifo_queue_gets_a_group_and_if_needed_an_id() -> None:
    said = parameters('{"body": "b"}', fifo=True, deduplication=True)
    assert said["MessageGroupId"] == "default"
    assert (
        said["MessageDeduplicationId"]
        != parameters('{"body": "b"}', fifo=True, deduplication=True)["MessageDeduplicationId"]
    )
    assert "MessageDeduplicationId" not in parameters('{"body": "b"}', fifo=True)
    assert (
        parameters('{"body": "b", "deduplication_id": "d"}', fifo=True, deduplication=True)["MessageDeduplicationId"]
        == "d"
    )


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no JSON"),
        (b"[1]", "no JSON object"),
        (b"{}", 'with a "body"'),
        (b'{"body": ""}', "is empty"),
        (b'{"body": 5}', "takes text"),
        (b'{"body": null}', "takes text"),
        (b'{"body": "\\u0001"}', "at position 0"),
        (b'{"body": "\\ud800"}', "at position 0"),
        (b'{"body": "b", "Body": "c"}', "'Body', which is none of body"),
        (b'{"body": "b", "delay": -1}', "from 0 to 900"),
        (b'{"body": "b", "delay": 901}', "from 0 to 900"),
        (b'{"body": "b", "delay": "5"}', "from 0 to 900"),
        (b'{"body": "b", "delay": true}', "from 0 to 900"),
        (b'{"body": "b", "group": ""}', "the group ''"),
        (b'{"body": "b", "group": "a b"}', "the group 'a b'"),
        (b'{"body": "b", "deduplication_id": 5}', "the deduplication id '5'"),
        (b'{"body": "b", "attributes": 5}', "no JSON object"),
        (b'{"body": "b", "attributes": {"": "x"}}', "the attribute name ''"),
        (b'{"body": "b", "attributes": {"aws.x": "x"}}', "the attribute name 'aws.x'"),
        (b'{"body": "b", "attributes": {"a..b": "x"}}', "the attribute name 'a..b'"),
        (b'{"body": "b", "attributes": {"a": ""}}', "the attribute a is empty"),
        (b'{"body": "b", "attributes": {"a": true}}', "text, a number or bytes"),
        (b'{"body": "b", "attributes": {"a": {"base64": "?"}}}', "base64 is wrong"),
        (b'{"body": "b", "attributes": {"a": {"base64": ""}}}', "the attribute a is empty"),
        (b'{"body": "b", "attributes": {"a": {"hex": ""}}}', "is not one"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_a_json_line_cannot_say(raw: bytes, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        JSON.entry(1, raw)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\xff", b"x" * (MAX_MESSAGE_BYTES + 1)])
def test_what_a_text_line_cannot_say(raw: bytes) -> None:
    with pytest.raises(UsageError):
        TEXT.entry(1, raw)


def test_ten_attributes_and_no_more() -> None:
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


def lines_of(content: bytes, chunk: int = 1 << 16) -> list[Any]:
    """What is read from a pipe into which the content is written in chunks."""
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            for start in range(0, len(content), chunk):
                pipe.write(content[start : start + chunk])

    threading.Thread(target=write).start()
    try:
        return [line for line in read_lines(reader, threading.Event()) if line is not None]
    finally:
        os.close(reader)


@pytest.mark.parametrize("chunk", [1, 3, 1 << 16])
def test_lines_however_they_come(chunk: int) -> None:
    assert lines_of("a\r\n\nü\nlast".encode(), chunk) == [b"a", b"", "ü".encode(), b"last"]
    assert lines_of(b"a\n", chunk) == [b"a"]
    assert lines_of(b"", chunk) == []


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    before, endless, after = lines_of(b"a\n" + b"x" * (3 * MAX_LINE_BYTES) + b"\nb\n")
    assert (before, after) == (b"a", b"b")
    assert isinstance(endless, TooLong)
    assert len(endless.beginning) == 100


def test_a_pause_is_told_so_that_nothing_waits_for_more() -> None:
    reader, writer = os.pipe()
    stop = threading.Event()
    os.write(writer, b"a\n")
    portions = LineBatches(read_lines(reader, stop), 0)
    assert portions.take(10) == (1, [b"a"])
    stop.set()
    assert portions.take(10)[1] == []
    os.close(writer)
    os.close(reader)


def test_portions_count_from_the_first_line_skipped_or_not() -> None:
    def lines() -> Iterator[bytes]:
        yield from (str(number).encode() for number in range(1, 8))

    portions = LineBatches(lines(), 3)
    assert portions.take(2) == (4, [b"4", b"5"])
    assert portions.take(9) == (6, [b"6", b"7"])
    assert portions.take(9)[1] == []
    assert LineBatches(lines(), 9).take(1)[1] == []

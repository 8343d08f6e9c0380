"""Reading lines from files and pipes, in bounded memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hello_queue.sqs.line_batches import MAX_LINE_BYTES, LineBatches, TooLong, read_lines

BOM = b"\xef\xbb\xbf"


def lines_of(content: bytes, chunk: int = 1 << 16) -> list[Any]:
    """The lines read from a pipe to which the content is written in chunks."""
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
def test_lines_in_chunks_of_any_size(chunk: int) -> None:
    assert lines_of("a\r\n\nü\nlast".encode(), chunk) == [b"a", b"", "ü".encode(), b"last"]
    assert lines_of(b"a\n", chunk) == [b"a"]
    assert lines_of(b"", chunk) == []


@pytest.mark.parametrize("chunk", [1, 1 << 16])
def test_a_byte_order_mark_is_removed_at_the_beginning_only(chunk: int) -> None:
    assert lines_of(BOM + b"a\n" + BOM + b"b", chunk) == [b"a", BOM + b"b"]
    assert lines_of(BOM + b"\na", chunk) == [b"", b"a"]
    assert lines_of(BOM + b"a", chunk) == [b"a"]
    assert lines_of(BOM, chunk) == []
    assert lines_of(BOM[:2], chunk) == [BOM[:2]]


def test_an_endless_line_does_not_fill_the_memory() -> None:
    before, endless, after = lines_of(b"a\n" + b"x" * (3 * MAX_LINE_BYTES) + b"\nb\n")
    assert (before, after) == (b"a", b"b")
    assert isinstance(endless, TooLong)
    assert len(endless.beginning) == 100


def test_a_batch_does_not_wait_for_more_input() -> None:
    reader, writer = os.pipe()
    stop = threading.Event()
    os.write(writer, b"a\n")
    batches = LineBatches(read_lines(reader, stop), 0)
    assert batches.take(10) == (1, [b"a"])
    stop.set()
    assert batches.take(10)[1] == []
    os.close(writer)
    os.close(reader)


def test_lines_are_numbered_from_the_first_line_of_the_file() -> None:
    def lines() -> Iterator[bytes]:
        yield from (str(number).encode() for number in range(1, 8))

    batches = LineBatches(lines(), 3)
    assert batches.take(2) == (4, [b"4", b"5"])
    assert batches.take(9) == (6, [b"6", b"7"])
    assert batches.take(9)[1] == []
    assert LineBatches(lines(), 9).take(1)[1] == []

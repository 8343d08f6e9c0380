"""Reading lines from files and pipes, in bounded memory."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hello_queue.sqs.line_batches import MAX_LINE_BYTES, Line, LineBatches, TooLong, read_lines, repeated

BOM = b"\xef\xbb\xbf"


async def all_of(portions: AsyncIterator[list[Line]]) -> list[Any]:
    return [line async for portion in portions for line in portion]


def lines_of(content: bytes, chunk: int = 1 << 16) -> list[Any]:
    """The lines read from a pipe to which the content is written in chunks."""
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            for start in range(0, len(content), chunk):
                pipe.write(content[start : start + chunk])

    threading.Thread(target=write).start()
    try:
        return asyncio.run(all_of(read_lines(reader)))
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
    os.write(writer, b"a\n")

    async def main() -> None:
        batches = LineBatches(read_lines(reader), 0)
        await asyncio.wait_for(batches.read(), 10)
        assert batches.take(10) == (1, [b"a"])
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(batches.read(), 0.1)

    asyncio.run(main())
    os.close(writer)
    os.close(reader)


def test_an_input_that_the_event_loop_cannot_watch() -> None:
    with Path("/dev/null").open("rb") as file:
        assert asyncio.run(all_of(read_lines(file.fileno()))) == []


def test_lines_are_numbered_from_the_first_line_of_the_file() -> None:
    async def lines() -> AsyncIterator[list[Line]]:
        for portion in ((1, 2), (3, 4, 5), (6, 7)):
            yield [str(number).encode() for number in portion]

    async def numbered(skip: int, *counts: int) -> list[tuple[int, list[Line]]]:
        batches = LineBatches(lines(), skip)
        found = []
        for count in counts:
            await batches.read()
            found.append(batches.take(count))
        return found

    found = asyncio.run(numbered(3, 1, 2, 9, 9))
    assert found == [(4, [b"4"]), (5, [b"5"]), (6, [b"6", b"7"]), (8, [])]
    assert asyncio.run(numbered(9, 1)) == [(8, [])]


def test_the_same_line_again_and_again() -> None:
    assert asyncio.run(all_of(repeated(b"x", 2_500))) == [b"x"] * 2_500

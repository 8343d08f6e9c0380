"""Lines of a file or a pipe, in batches and in bounded memory."""

from __future__ import annotations

import asyncio
import codecs
import os
import stat
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

MAX_LINE_BYTES = 8 * 1_048_576
"""Longer lines are not parsed. JSON may use six bytes for one character of the message."""

_CHUNK_BYTES = 1 << 16
_BATCH_BYTES = 1 << 20


@dataclass(frozen=True)
class TooLong:
    """Stands for a line longer than MAX_LINE_BYTES."""

    beginning: bytes


Line = bytes | TooLong


async def read_lines(descriptor: int) -> AsyncIterator[list[Line]]:
    """The lines of an open file, pipe or terminal, without line endings and without a byte order mark at the beginning.

    Yields:
        The lines that have arrived, as soon as they have.
    """
    splitter = _Splitter()
    waits = not stat.S_ISREG(os.fstat(descriptor).st_mode)
    while True:
        if waits:
            await _readable(descriptor)
        chunk = os.read(descriptor, _CHUNK_BYTES)
        if not chunk:
            break
        lines = splitter.split(chunk)
        if lines:
            yield lines
    last = splitter.rest()
    if last:
        yield last


async def repeated(line: bytes, count: int) -> AsyncIterator[list[Line]]:
    """The same line, ``count`` times."""
    while count > 0:
        portion = min(count, 1_000)
        count -= portion
        yield [line] * portion


class _Splitter:
    """Splits chunks of bytes into lines."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._begun_bytes = 0
        self._skipping = False
        self._is_first = True

    def split(self, chunk: bytes) -> list[Line]:
        first, *others = chunk.split(b"\n")
        lines: list[Line] = []
        if self._skipping:
            if not others:
                return []
            self._skipping = False
            first, *others = others
        self._begun.append(first)
        self._begun_bytes += len(first)
        for line in others:
            lines.append(self._take())
            self._begun, self._begun_bytes = [line], len(line)
        if self._begun_bytes > MAX_LINE_BYTES:
            lines.append(TooLong(b"".join(self._begun)[:100]))
            self._begun, self._begun_bytes, self._skipping = [], 0, True
        return lines

    def rest(self) -> list[Line]:
        """The last line, if it has no line ending."""
        line = self._take() if self._begun_bytes else b""
        return [line] if line else []

    def _take(self) -> bytes:
        line = self._begun[0] if len(self._begun) == 1 else b"".join(self._begun)
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(codecs.BOM_UTF8)
        return line[:-1] if line.endswith(b"\r") else line


class LineBatches:
    """Deals out lines in batches. `read` waits until lines have arrived; `take` returns them.

    Args:
        lines: portions as they arrive; what has arrived is dealt out without waiting for more.
        skip: how many lines to leave out at the beginning.
    """

    def __init__(self, lines: AsyncIterator[list[Line]], skip: int) -> None:
        self._source = lines
        self._number = 0
        self._skip = skip
        self.ready: deque[Line] = deque()

    async def read(self) -> None:
        """Wait until lines are ready. At the end of the input none are."""
        while not self.ready:
            try:
                portion = await self._source.__anext__()
            except StopAsyncIteration:
                return
            skipped = min(self._skip - self._number, len(portion))
            if skipped > 0:
                self._number += skipped
                portion = portion[skipped:]
            self.ready.extend(portion)

    def take(self, most: int) -> tuple[int, list[Line]]:
        """The next lines that are ready: the number of the first, from 1, and at most that many."""
        batch: list[Line] = []
        size = 0
        while self.ready and len(batch) < most and size < _BATCH_BYTES:
            line = self.ready.popleft()
            batch.append(line)
            size += len(line) if isinstance(line, bytes) else 0
        self._number += len(batch)
        return self._number - len(batch) + 1, batch


async def _readable(descriptor: int) -> None:
    """Wait until something can be read. A file that the event loop cannot watch, such as /dev/null, always can."""
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()
    try:
        loop.add_reader(descriptor, arrived.set_result, None)
    except OSError:
        return
    try:
        await arrived
    finally:
        loop.remove_reader(descriptor)

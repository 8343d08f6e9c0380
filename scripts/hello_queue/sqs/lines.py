"""Lines of a file or a pipe, however many, in bounded memory."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_LINE_BYTES = 8 * 1_048_576
"""The longest line that is looked at: JSON may spell a character of the message in six bytes."""

_CHUNK_BYTES = 1 << 16
_PORTION_BYTES = 1 << 20
_LOOK_UP_SECONDS = 0.2


@dataclass(frozen=True)
class TooLong:
    """Stands for a line longer than MAX_LINE_BYTES."""

    beginning: bytes


Line = bytes | TooLong


def read_lines(descriptor: int, stop: threading.Event) -> Iterator[Line | None]:
    """The lines, without their ends.

    Args:
        descriptor: an open file, pipe or terminal.
        stop: ends the reading between two lines.

    Yields:
        A line, or None where there is nothing to read at the moment.
    """
    rest = b""
    skipping = False
    while not stop.is_set():
        if not _readable(descriptor, 0):
            yield None
            while not _readable(descriptor, _LOOK_UP_SECONDS):
                if stop.is_set():
                    return
        chunk = os.read(descriptor, _CHUNK_BYTES)
        if not chunk:
            if rest:
                yield rest.removesuffix(b"\r")
            return
        first, *others = chunk.split(b"\n")
        if skipping:
            if not others:
                continue
            skipping = False
            first, *others = others
        rest += first
        for line in others:
            yield rest.removesuffix(b"\r")
            rest = line
        if len(rest) > MAX_LINE_BYTES:
            yield TooLong(rest[:100])
            rest, skipping = b"", True


class LineBatches:
    """Deals lines out in portions. Threads may share it.

    Args:
        lines: None stands for a pause of the input: what is there goes out without waiting for more.
        skip: how many to leave out at the beginning.
    """

    def __init__(self, lines: Iterable[Line | None], skip: int) -> None:
        self._lines = iter(lines)
        self._number = 0
        self._skip = skip

    def take(self, most: int) -> tuple[int, list[Line]]:
        """The next lines: the number of the first, from 1, and at most so many. None left: an empty list."""
        portion: list[Line] = []
        size = 0
        for line in self._lines:
            if line is None:
                if portion:
                    break
                continue
            self._number += 1
            if self._number <= self._skip:
                continue
            portion.append(line)
            size += len(line) if isinstance(line, bytes) else 0
            if len(portion) == most or size >= _PORTION_BYTES:
                break
        return self._number - len(portion) + 1, portion


def _readable(descriptor: int, timeout: float) -> bool:
    return bool(select.select([descriptor], [], [], timeout)[0])

"""Lines of a file or a pipe, in batches and in bounded memory."""

from __future__ import annotations

import codecs
import os
import select
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_LINE_BYTES = 8 * 1_048_576
"""Longer lines are not parsed. JSON may use six bytes for one character of the message."""

_CHUNK_BYTES = 1 << 16
_BATCH_BYTES = 1 << 20
_STOP_CHECK_SECONDS = 0.2


@dataclass(frozen=True)
class TooLong:
    """Stands for a line longer than MAX_LINE_BYTES."""

    beginning: bytes


Line = bytes | TooLong


def read_lines(descriptor: int, stop: threading.Event) -> Iterator[Line | None]:
    """The lines, without line endings and without a byte order mark at the beginning of the file.

    Args:
        descriptor: an open file, pipe or terminal.
        stop: ends reading between two lines.

    Yields:
        A line, or None while no input is available.
    """
    lines = _read_raw_lines(descriptor, stop)
    for line in lines:
        if line is None:
            yield None
            continue
        yield line.removeprefix(codecs.BOM_UTF8) if isinstance(line, bytes) else line
        break
    yield from lines


def _read_raw_lines(descriptor: int, stop: threading.Event) -> Iterator[Line | None]:
    rest = b""
    skipping = False
    while not stop.is_set():
        if not _readable(descriptor, 0):
            yield None
            while not _readable(descriptor, _STOP_CHECK_SECONDS):
                if stop.is_set():
                    return
        chunk = os.read(descriptor, _CHUNK_BYTES)
        if not chunk:
            if rest and rest != codecs.BOM_UTF8:
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
    """Divides lines into numbered batches. Threads may share it.

    Args:
        lines: the lines. None stands for a pause in the input: a batch does not wait for more.
        skip: how many lines to leave out at the beginning.
    """

    def __init__(self, lines: Iterable[Line | None], skip: int) -> None:
        self._lines = iter(lines)
        self._number = 0
        self._skip = skip

    def take(self, most: int) -> tuple[int, list[Line]]:
        """The number of the next line, from 1, and up to ``most`` lines from there. No lines: the input has ended."""
        batch: list[Line] = []
        size = 0
        for line in self._lines:
            if line is None:
                if batch:
                    break
                continue
            self._number += 1
            if self._number <= self._skip:
                continue
            batch.append(line)
            size += len(line) if isinstance(line, bytes) else 0
            if len(batch) == most or size >= _BATCH_BYTES:
                break
        return self._number - len(batch) + 1, batch


def _readable(descriptor: int, timeout: float) -> bool:
    return bool(select.select([descriptor], [], [], timeout)[0])

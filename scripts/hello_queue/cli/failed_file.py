"""The file that --failed names: the lines that could not be sent, ready to be corrected and sent again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from hello_queue.cli.new_file import unwritable, write_all
from hello_queue.errors import HelloQueueError, UsageError


@contextlib.contextmanager
def failed_file(name: str) -> Iterator[Callable[[bytes], None]]:
    """Create the file. It is removed again if nothing is written to it.

    Yields:
        A function that writes a line. It raises HelloQueueError if the line cannot be written as a whole; the file then
        has the lines before it.

    Raises:
        UsageError: the file exists, or cannot be created.
    """
    if name in ("", "-"):
        raise UsageError(f"--failed {name!r} is not the name of a file: give the name of a new one")
    path = Path(name)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise UsageError(f"--failed {name!r} exists: send or move its lines first, or choose another name") from None
    except OSError as error:
        raise UsageError(unwritable("--failed", name, error)) from None
    try:
        yield lambda line: _append(descriptor, name, line + b"\n")
    finally:
        if os.fstat(descriptor).st_size == 0:
            path.unlink()
        os.close(descriptor)


def _append(descriptor: int, name: str, data: bytes) -> None:
    size = os.fstat(descriptor).st_size
    try:
        write_all(descriptor, data)
    except OSError as error:
        os.ftruncate(descriptor, size)
        os.lseek(descriptor, size, os.SEEK_SET)
        raise HelloQueueError(
            f"--failed {name!r} cannot be written: {error.strerror}. Continue with --skip as above and with another "
            "--failed file, elsewhere or after making room"
        ) from None

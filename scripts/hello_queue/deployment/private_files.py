"""Files that nobody else may read, replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

from hello_queue.errors import HelloQueueError

_PARTIAL = ".partial"
_STALE_SECONDS = 60


def read_text(path: Path) -> str:
    """The file's text with its line ends as they are; empty if there is no such file.

    Raises:
        HelloQueueError: it is there and cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise HelloQueueError(f"{path} cannot be read: {_reason(error)}") from None


def write_private(path: Path, text: str, *, make_folder: bool = False) -> None:
    """Put the text into the file, with mode 0600 from the first byte on. A link stays a link.

    The text goes to a new file beside the old one, which then takes its place: a crash at any moment leaves the old
    file or the new one. It can also leave that new file behind, as private, under a name with ``.partial`` at its end;
    the next call removes it. ``make_folder`` makes the file's folder, too, for its owner alone.

    Raises:
        HelloQueueError: the folder or the file cannot be written.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise HelloQueueError(f"{path} is no regular file: choose another place")
    try:
        if make_folder:
            target.parent.mkdir(mode=0o700, exist_ok=True)
        _remove_leftovers(target)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=_PARTIAL)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise HelloQueueError(f"{path} cannot be written: {_reason(error)}. Choose another place") from None


def _remove_leftovers(target: Path) -> None:
    for leftover in target.parent.glob(f".{target.name}.*{_PARTIAL}"):
        with contextlib.suppress(FileNotFoundError):
            # A younger one may be another process's work.
            if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                leftover.unlink()


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)

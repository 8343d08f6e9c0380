"""Files that only their owner may read, replaced atomically."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

from hello_queue.errors import HelloQueueError, UsageError

_PARTIAL = ".partial"
_STALE_SECONDS = 60


def read_text(path: Path) -> str:
    """The file's text with unchanged line ends; empty if the file does not exist.

    Raises:
        HelloQueueError: the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise HelloQueueError(f"{str(path)!r} cannot be read: {_reason(error)}. Correct or move it first") from None


def check_writable(name: str, *, overwrite: bool) -> None:
    """Check, as far as it can be known before, that `write_private` can write the file.

    Raises:
        UsageError: it is a folder, or its name is invalid.
        HelloQueueError: it exists, and ``overwrite`` is false.
    """
    path = Path(name)
    try:
        if path.is_dir():
            raise UsageError(f"{name!r} is not the name of a file: name one, or - for stdout")
        if path.exists() and not overwrite:
            raise HelloQueueError(f"{name!r} already exists: choose another file, or replace it with --force")
    except OSError as error:  # such as a name that is too long
        raise UsageError(f"{name[:60]!r} cannot be written: {_reason(error)}. Choose another file") from None


def write_private(path: Path, text: str, *, make_folder: bool = False) -> None:
    """Write a file with mode 0600. A symbolic link stays, and the file that it points to is replaced.

    The text is written to a temporary file in the same folder, which then replaces the old one: a crash leaves either
    the old file or the new one. It can also leave the temporary file, with mode 0600 and a name that ends in
    ``.partial``; the next call removes it.

    Args:
        path: the file.
        text: the file's new content.
        make_folder: create the file's folder, with mode 0700, if it does not exist.

    Raises:
        HelloQueueError: the folder or the file cannot be written.
    """
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            raise HelloQueueError(f"{str(path)!r} is not a regular file: choose another file")
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
    except (OSError, RuntimeError) as error:  # RuntimeError: a symbolic link that leads to itself
        raise HelloQueueError(f"{str(path)!r} cannot be written: {_reason(error)}. Choose another file") from None


def is_unignored_in_git(path: Path) -> bool:
    """Whether the file is in a git working tree and not ignored, so that ``git add`` would add it."""
    target = path.resolve()
    command = ["git", "check-ignore", "--quiet", target.name]
    try:
        status = subprocess.run(command, cwd=target.parent, capture_output=True, check=False).returncode
    except OSError:
        return False  # git is not installed, or the folder does not exist
    return status == 1  # 0: ignored; 128: not in a working tree


def _remove_leftovers(target: Path) -> None:
    for leftover in target.parent.glob(f".{target.name}.*{_PARTIAL}"):
        with contextlib.suppress(FileNotFoundError):
            # A younger file may belong to a process that is still writing.
            if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                leftover.unlink()


def _reason(error: Exception) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)

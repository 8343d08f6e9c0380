"""A new private file that appears when it is complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from hello_queue.errors import HelloQueueError, UsageError


def check_new(option: str, name: str) -> None:
    """Check, as far as it can be known before, that `new_private_file` can create the file.

    Raises:
        UsageError: it cannot.
    """
    if name in ("", "-"):
        raise UsageError(f"{option} {name!r} is not the name of a file: give the name of a new one")
    path = Path(name)
    try:
        path.lstat()
    except FileNotFoundError:
        if path.parent.is_dir():
            return
        raise UsageError(
            f"{option} {name!r} cannot be written: there is no folder {str(path.parent)!r}. Create it"
        ) from None
    except OSError as error:
        raise UsageError(unwritable(option, name, error)) from None
    raise UsageError(f"{option} {name!r} exists: move it away, or choose another name")


@contextlib.contextmanager
def new_private_file(option: str, name: str) -> Iterator[Callable[[str], None]]:
    """Create a file with mode 0600.

    It has the name with ``.partial`` at its end until this context ends without an exception. A process that is killed
    leaves that file, which the next one replaces.

    Args:
        option: the option that names it, for errors.
        name: the file. It must not exist.

    Yields:
        A function that writes a line.

    Raises:
        UsageError: the file exists, or cannot be created.
        HelloQueueError: it cannot be written.
    """
    check_new(option, name)
    path, partial = Path(name), Path(f"{name}.partial")
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(unwritable(option, name, error)) from None

    def write(line: str) -> None:
        try:
            write_all(descriptor, f"{line}\n".encode())
        except OSError as error:
            raise HelloQueueError(unwritable(option, name, error)) from None

    try:
        yield write
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise HelloQueueError(unwritable(option, name, error)) from None
        try:
            os.link(partial, path)  # unlike a renaming, it does not replace a file that has appeared meanwhile
        except FileExistsError:
            raise HelloQueueError(
                f"{option} {name!r} was created by another process meanwhile. Choose another name, and try again"
            ) from None
        except OSError:  # a file system without links
            partial.rename(path)
    finally:
        os.close(descriptor)
        partial.unlink(missing_ok=True)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it: one call of the system may write a part."""
    while data:
        data = data[os.write(descriptor, data) :]


def unwritable(option: str, name: str, error: OSError) -> str:
    """What to report about a file that cannot be written."""
    return f"{option} {name!r} cannot be written: {error.strerror}. Choose another file"

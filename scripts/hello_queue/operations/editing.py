"""Messages of a dead-letter queue in a person's editor: which of them were changed, and what is sent instead."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from hello_queue.errors import HelloQueueError, UsageError
from hello_queue.operations.dead_letters import DeadLetter
from hello_queue.sqs.batches import Entry
from hello_queue.sqs.message_format import MessageFormat, json_line, parse_json_line
from hello_queue.sqs.messages import InvalidMessage

FIRST_LINES = """\
# Each line is a message of the dead-letter queue, as send.py --json-lines takes it, with its id.
# A message whose line you change is sent to the queue as changed, and then deleted here.
# A message whose line you leave as it is, or delete, stays in the dead-letter queue.
"""


@dataclass(frozen=True)
class Edited:
    """The messages of an edited file.

    Attributes:
        name: what errors call the file.
        messages: the number of the line and the fields of each, by id.
    """

    name: str
    messages: Mapping[str, tuple[int, dict[str, Any]]]


def editor() -> list[str]:
    """The command that $VISUAL or $EDITOR names; vi if neither is set.

    Raises:
        UsageError: it cannot be parsed.
    """
    name = "VISUAL" if os.environ.get("VISUAL") else "EDITOR"
    command = os.environ.get(name) or "vi"
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{name}={command!r} is not a command: {error}") from None
    if not words:
        raise UsageError(f"{name}={command!r} is not a command: set it to one that edits a file")
    return words


@contextlib.contextmanager
def edited_file(dead_letters: Sequence[DeadLetter]) -> Iterator[Path]:
    """A private file with these messages. It is removed at the end, also when SIGTERM or SIGHUP ends the process."""
    with _ending_by_exception(), tempfile.TemporaryDirectory(prefix="dead-letters-") as folder:
        path = Path(folder) / "messages.jsonl"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(FIRST_LINES)
            for each in dead_letters:
                content = {"id": each.message.id, **json_line(each.received, deduplication_id=False)}
                file.write(json.dumps(content, ensure_ascii=False) + "\n")
        yield path


def kept(path: Path) -> Path | None:
    """Move the edited file to a private folder, where it stays. None: there is none, or it cannot be moved."""
    try:
        return path.replace(Path(tempfile.mkdtemp(prefix="dead-letters-")) / path.name)
    except OSError:
        return None


def run_editor(command: Sequence[str], path: Path) -> None:
    """Wait until the editor has ended. Ctrl-C in it is for the editor.

    Raises:
        HelloQueueError: it cannot be started, or ended with an error.
    """
    before = signal.signal(signal.SIGINT, lambda *_: None)  # unlike SIG_IGN, the editor does not inherit it
    try:
        status = subprocess.run([*command, str(path)], check=False).returncode
    except OSError as error:
        raise HelloQueueError(
            f"the editor {command[0]!r} cannot be started: {error.strerror}. Set VISUAL or EDITOR. Nothing was sent"
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)
    if status:
        raise HelloQueueError(f"the editor {command[0]!r} ended with exit status {status}: nothing was sent")


def read_edited(path: Path, name: str = "the edited file") -> Edited:
    """Read a file that `edited_file` made and a person changed.

    Raises:
        UsageError: the file cannot be read, a line is not a message, or an id appears twice.
    """
    try:
        lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}. Nothing was sent") from None
    messages: dict[str, tuple[int, dict[str, Any]]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        with _in_line(number, name):
            fields = parse_json_line(line.strip(), more_keys=("id",))
            id = fields.pop("id", None)
            if not isinstance(id, str):
                raise InvalidMessage(f"the id {str(id)[:60]!r} is not that of a message")
            if id in messages:
                raise InvalidMessage(f"the id {id[:60]!r} appears twice")
            messages[id] = number, fields
    return Edited(name, messages)


def changed(
    edited: Edited, dead_letters: Sequence[DeadLetter], *, fifo: bool, gone: Collection[str] = ()
) -> dict[str, Entry]:
    """The messages that were changed, as they are to be sent, by id.

    Args:
        gone: ids of messages to pass over.

    Raises:
        UsageError: a message is invalid, or its id is not one of these.
    """
    originals = {each.message.id: json_line(each.received, deduplication_id=False) for each in dead_letters}
    entries: dict[str, Entry] = {}
    for id, (number, fields) in edited.messages.items():
        if id in gone:
            continue
        with _in_line(number, edited.name):
            if id not in originals:
                raise InvalidMessage(f"the id {id[:60]!r} is not that of a message that was opened")
            if fields != _fields(originals[id]):
                entries[id] = _entry(id, fields, fifo=fifo)
    return entries


@contextlib.contextmanager
def _in_line(number: int, name: str) -> Iterator[None]:
    """An error is that of this line."""
    try:
        yield
    except InvalidMessage as error:
        raise UsageError(f"line {number} of {name}: {error}. Nothing was sent") from None


def _fields(original: Mapping[str, Any]) -> dict[str, Any]:
    return parse_json_line(json.dumps(original).encode())


def _entry(id: str, fields: dict[str, Any], *, fifo: bool) -> Entry:
    """In a FIFO queue, another attempt to send the same text has the same deduplication id, and another text has
    another one: after a crash, SQS drops the first and takes the second."""
    if fifo and "deduplication_id" not in fields:
        digest = hashlib.sha256(repr(sorted(fields.items())).encode()).hexdigest()[:32]
        fields["deduplication_id"] = f"edit-{id}-{digest}"
    return MessageFormat(fifo=fifo).entry_of(0, **fields)


@contextlib.contextmanager
def _ending_by_exception() -> Iterator[None]:
    """SIGTERM and SIGHUP, which would end the process at once, run what cleans up."""

    def end(signum: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + signum)

    before = {signum: signal.signal(signum, end) for signum in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)

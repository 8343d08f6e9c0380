"""Messages of a dead-letter queue in a person's editor: which of them were changed, and what is sent instead."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
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


def changed(path: Path, dead_letters: Sequence[DeadLetter], *, fifo: bool) -> dict[str, Entry]:
    """The messages that were changed, as they are to be sent, by id.

    Raises:
        UsageError: a line is not a valid message, or its id is not one of these or appears twice.
    """
    originals = {each.message.id: json_line(each.received, deduplication_id=False) for each in dead_letters}
    entries: dict[str, Entry] = {}
    seen: set[str] = set()
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"the edited file cannot be read: {error.strerror}. Nothing was sent") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        try:
            id, fields = _parse(line.strip(), originals)
            if id in seen:
                raise InvalidMessage(f"the id {id!r} appears twice")
            seen.add(id)
            if fields != _fields(originals[id]):
                entries[id] = _entry(id, fields, fifo=fifo)
        except InvalidMessage as error:
            raise UsageError(f"line {number} of the edited file: {error}. Nothing was sent") from None
    return entries


def _parse(line: bytes, originals: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    fields = parse_json_line(line, more_keys=("id",))
    id = fields.pop("id", None)
    if not isinstance(id, str) or id not in originals:
        raise InvalidMessage(f"the id {str(id)[:60]!r} is not that of a message that was opened")
    return id, fields


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

"""The ways through a dead-letter queue that redrive.py offers, each with what it reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from hello_queue.cli.dead_letters import Queues, overlooked, progress
from hello_queue.cli.main import DONE, FAILED
from hello_queue.cli.new_file import new_private_file
from hello_queue.cli.progress import report, report_copies
from hello_queue.cli.terminal import printable
from hello_queue.operations.dead_letters import DeadLetter
from hello_queue.operations.move_task import move_by_task
from hello_queue.operations.removal import Deleter, Mover
from hello_queue.operations.scan import CONNECTIONS, HOLD_SECONDS, Action, Scan, hold_seconds
from hello_queue.operations.selection import Selection
from hello_queue.sqs.batches import Entry
from hello_queue.sqs.blocking import run as run_loop
from hello_queue.sqs.message_format import json_line
from hello_queue.sqs.producer import Producer
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.transports import Transport, open_transport

RETRY_TIMEOUT_SECONDS = 60


class _NothingDumped(Exception):
    """A file would be empty."""


def peek(queues: Queues, selection: Selection, first: int) -> tuple[list[DeadLetter], Scan]:
    """The first messages that are picked. They are visible again afterwards."""
    found: list[DeadLetter] = []

    async def keep(letters: Sequence[DeadLetter]) -> None:
        found.extend(letters)

    return found, run_loop(_scan(queues, selection, lambda *_: keep, removes=False, limit=first))


def dump(queues: Queues, selection: Selection, name: str) -> int:
    """Write messages to a new file. It does not appear if there are none."""
    dumped = 0
    try:
        with new_private_file("--dump", name) as write:

            async def keep(letters: Sequence[DeadLetter]) -> None:
                nonlocal dumped
                for each in letters:
                    write(json.dumps(json_line(each.received), ensure_ascii=False))
                dumped += len(letters)

            scan = run_loop(_scan(queues, selection, lambda *_: keep, removes=False, text=lambda: f"{dumped:,} dumped"))
            if not dumped:
                raise _NothingDumped
    except _NothingDumped:
        report(f"there is nothing to dump: {queues.nothing_found(scan, selection)}")
    else:
        print(f"{dumped:,} dumped to {printable(name)}")
    return FAILED if overlooked(queues, scan) else DONE


def delete(queues: Queues, selection: Selection) -> int:
    def deleter(transport: Transport, retries: RetryPolicy) -> Deleter:
        return Deleter(transport, queues.dead_letter_url, retry_policy=retries, report=report)

    return _remove(queues, selection, deleter, "deleted")


def move(
    queues: Queues,
    selection: Selection,
    entry: Callable[[DeadLetter], Entry],
    *,
    verb: str = "moved",
    on_moved: Callable[[DeadLetter], object] = lambda _: None,
) -> int:
    """Move messages one by one.

    Args:
        entry: what to send for a message.
        on_moved: called with each one that was sent.
    """
    target_arn = queues.arn(queues.url)

    def mover(transport: Transport, retries: RetryPolicy) -> Mover:
        deleter = Deleter(transport, queues.dead_letter_url, retry_policy=retries, report=report)
        producer = Producer(transport, queues.url, retries)
        return Mover(producer, deleter, entry, target_arn=target_arn, report=report, on_moved=on_moved)

    return _remove(queues, selection, mover, verb)


def _remove(
    queues: Queues, selection: Selection, make: Callable[[Transport, RetryPolicy], Deleter | Mover], verb: str
) -> int:
    """Take messages out of the dead-letter queue, and print how many.

    Args:
        make: makes what takes them out.
        verb: what becomes of them.
    """
    removal: Deleter | Mover | None = None

    def action(transport: Transport, retries: RetryPolicy) -> Action:
        nonlocal removal
        removal = make(transport, retries)
        return removal

    def text() -> str:
        return f"{removal.done if removal else 0:,} {verb}"

    try:
        scan = run_loop(_scan(queues, selection, action, removes=True, text=text))
    finally:
        print(text())
        if isinstance(removal, Mover):
            report_copies(removal.maybe_twice, removal.corrupted)
    return FAILED if overlooked(queues, scan) or (removal and removal.left) else DONE


async def _scan(
    queues: Queues,
    selection: Selection,
    action: Callable[[Transport, RetryPolicy], Action],
    *,
    removes: bool,
    limit: int | None = None,
    text: Callable[[], str] | None = None,
) -> Scan:
    """Go through the dead-letter queue.

    Args:
        action: makes what gets the messages (see `Scan.run`).
        text: how far it is.
    """
    transport = open_transport(queues.dead_letter_url, CONNECTIONS)
    retries = RetryPolicy(RETRY_TIMEOUT_SECONDS, report)
    at_once = not selection and (removes or limit is not None)
    hold = HOLD_SECONDS if at_once else hold_seconds(queues.before)
    scan = Scan(transport, queues.dead_letter_url, selection, hold=hold, retry_policy=retries, report=report)
    try:
        with progress(queues, scan, text):
            await scan.run(action(transport, retries), removes=removes, limit=limit)
    finally:
        await transport.close()
    return scan


def move_all(queues: Queues) -> int:
    source_arn, target_arn = queues.arn(queues.dead_letter_url), queues.arn(queues.url)
    moved = move_by_task(
        queues.sqs,
        source_arn,
        target_arn,
        progress=lambda done, total: report(f"{done:,} of {total:,} moved"),
        report=report,
    )
    print(f"{moved:,} moved")
    if moved < queues.before:
        report(f"{queues.before - moved:,} of about {queues.before:,} were not moved: {queues.contents()}")
        return FAILED
    return DONE

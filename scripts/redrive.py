"""Show the messages in the dead-letter queue, or move them to the queue in which they failed.

Without --move nothing changes: the first messages are shown. With --move, all messages are moved, or those selected by
--id, after a preview and your confirmation. If it is killed, a message may end up in both queues, but is never lost.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hello_queue.aws.clients import client
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import add_queue_options, number, parser, queue_url
from hello_queue.cli.progress import tell
from hello_queue.cli.terminal import printable
from hello_queue.errors import HelloQueueError, UsageError
from hello_queue.operations.dead_letters import DeadLetter, Mover, move_by_task, peek
from hello_queue.sqs.blocking import run as run_loop
from hello_queue.sqs.queues import attributes, dead_letter_queue, is_fifo
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.transports import open_transport

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

RETRY_TIMEOUT_SECONDS = 60
CONNECTIONS = 2
SHOWN_CHARACTERS = 60

EXAMPLES = """\
  python scripts/redrive.py                    show the first 20 messages
  python scripts/redrive.py --first 100 --json for a program: one line of JSON per message
  python scripts/redrive.py --move             move all messages, after confirmation
  python scripts/redrive.py --move --id 5fea7756-0ea4-451a-a703-a558b933e274 --yes"""


def main() -> int:
    arguments = _parse()
    sqs = client("sqs")
    url = queue_url(sqs, arguments)
    dead_letter_url = dead_letter_queue(sqs, url)
    before = sum(_counts(sqs, dead_letter_url))
    found = peek(sqs, dead_letter_url, arguments.first)
    if not arguments.move:
        _show(arguments, sqs, dead_letter_url, found)
        return DONE
    if not found:
        tell(f"there is nothing to move: {_state(sqs, dead_letter_url)}")
        return DONE
    _show(arguments, sqs, dead_letter_url, [each for each in found if _is_selected(arguments, each)])
    target_arn = attributes(sqs, url)["QueueArn"]
    _warn_of_other_sources(found, target_arn)
    _confirm(arguments, url)
    if arguments.id or is_fifo(url):
        moved, missing = run_loop(_move_one_by_one(arguments, url, dead_letter_url))
    else:
        source_arn = attributes(sqs, dead_letter_url)["QueueArn"]
        moved = move_by_task(sqs, source_arn, target_arn, lambda done, total: tell(f"{done:,} of {total:,} moved"))
        print(f"{moved:,} moved")
        missing = set()
    if not arguments.id and moved < before:
        tell(f"{before - moved:,} of about {before:,} were not moved: {_state(sqs, dead_letter_url)}")
        return FAILED
    return FAILED if missing else DONE


async def _move_one_by_one(arguments: argparse.Namespace, url: str, dead_letter_url: str) -> tuple[int, set[str]]:
    """Returns how many messages were moved, and which of the selected ids were not found."""
    transport = open_transport(url, CONNECTIONS)
    mover = Mover(
        transport,
        dead_letter_url,
        url,
        retry_policy=RetryPolicy(RETRY_TIMEOUT_SECONDS, tell),
        report=tell,
        progress=lambda moved: tell(f"{moved:,} moved") if moved % 100 == 0 else None,
    )
    try:
        missing = await mover.move(arguments.id)
    finally:
        print(f"{mover.moved:,} moved")
        if mover.maybe_twice:
            tell(f"{mover.maybe_twice:,} may be in the queue twice: the response to a first attempt was lost")
        await transport.close()
    for each in sorted(missing):
        tell(f"message {each} was not found in the dead-letter queue, or another consumer has received it")
    return mover.moved, missing


def _counts(sqs: SQSClient, dead_letter_url: str) -> tuple[int, int]:
    """About how many messages of the dead-letter queue are visible, and hidden."""
    found = attributes(sqs, dead_letter_url)
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


def _state(sqs: SQSClient, dead_letter_url: str) -> str:
    visible, hidden = _counts(sqs, dead_letter_url)
    if not visible + hidden:
        return "the dead-letter queue is empty"
    return (
        f"about {visible:,} are in the dead-letter queue, and {hidden:,} more are hidden there, because a consumer has "
        "received them. Try again in a minute"
    )


def _show(arguments: argparse.Namespace, sqs: SQSClient, dead_letter_url: str, found: Sequence[DeadLetter]) -> None:
    if arguments.json:
        for each in found:
            message = each.message
            content = {
                "id": message.id,
                "body": message.body,
                "author": message.author,
                "receive_count": message.receive_count,
                "age_seconds": each.age_seconds,
            }
            print(json.dumps(content))
        return
    for each in found:
        message = each.message
        body = printable(message.body)
        body = body if len(body) <= SHOWN_CHARACTERS else f"{body[: SHOWN_CHARACTERS - 1]}…"
        author = f" (author: {printable(message.author)})" if message.author else ""
        age = "?" if each.age_seconds is None else f"{each.age_seconds:,.0f} s"
        print(f"{printable(message.id)}  {age:>10}  received {message.receive_count:>3} times  {body}{author}")
    visible, _ = _counts(sqs, dead_letter_url)
    tell(f"{len(found):,} shown of about {visible:,} in {dead_letter_url.rpartition('/')[2]}")


def _warn_of_other_sources(found: Sequence[DeadLetter], target_arn: str) -> None:
    """Queues can share a dead-letter queue. Then messages can come into a queue in which they never were."""
    for source in sorted({each.source_arn for each in found if each.source_arn} - {target_arn}):
        tell(f"warning: there are messages from {source}; they would be moved to {target_arn.rpartition(':')[2]} too")


def _is_selected(arguments: argparse.Namespace, dead_letter: DeadLetter) -> bool:
    return not arguments.id or dead_letter.message.id in arguments.id


def _confirm(arguments: argparse.Namespace, url: str) -> None:
    if arguments.yes:
        return
    what = f"{len(set(arguments.id)):,} messages" if arguments.id else "all messages"
    if not sys.stdin.isatty():
        raise UsageError(f"standard input is not a terminal: to move {what} to {url} without confirmation, add --yes")
    print(f"Move {what} to {printable(url.rpartition('/')[2])}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise HelloQueueError("nothing was moved")


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--move", action="store_true", help="move messages (default: only show them)")
    options.add_argument(
        "--id", metavar="ID", action="append", default=[], help="with --move: only this message (may be repeated)"
    )
    options.add_argument("--yes", action="store_true", help="with --move: do not ask for confirmation")
    options.add_argument(
        "--first", metavar="N", type=number(1, 10_000), default=20, help="how many messages to show (default: 20)"
    )
    options.add_argument("--json", action="store_true", help="show one line of JSON per message")
    add_queue_options(options)
    arguments = options.parse_args()
    for option in ("id", "yes"):
        if getattr(arguments, option) and not arguments.move:
            options.error(f"--{option} needs --move")
    if "" in arguments.id:
        options.error("--id '' is empty: give the id of a message, as shown without --move")
    return arguments


if __name__ == "__main__":
    run(main)

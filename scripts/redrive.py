"""Look into the dead-letter queue, and move messages back to the queue in which they failed.

Without --move nothing is changed: the first messages are shown. With it, all are moved, or those picked by --id, after
a preview and your confirmation. A message can come to be in the queue twice when this is killed, and is never lost.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import json
import sys
import threading
from typing import Any

from hello_queue.aws.clients import client
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.options import add_queue_options, number, parser, queue_url
from hello_queue.cli.progress import tell
from hello_queue.cli.terminal import printable
from hello_queue.errors import HelloQueueError, UsageError
from hello_queue.operations.dead_letters import HOLD_SECONDS, DeadLetter, Mover, move_by_task, peek
from hello_queue.sqs.leases import Counts, Leases
from hello_queue.sqs.producer import Producer
from hello_queue.sqs.queues import attributes, dead_letter_queue
from hello_queue.sqs.retries import RetryPolicy

PATIENCE_SECONDS = 60
SHOWN_CHARACTERS = 60

EXAMPLES = """\
  python scripts/redrive.py                    what is in there? The first 20
  python scripts/redrive.py --first 100 --json for a program: a line of JSON each
  python scripts/redrive.py --move             back with all of them, after asking
  python scripts/redrive.py --move --id 5fea7756-0ea4-451a-a703-a558b933e274 --yes"""


def main() -> int:
    arguments = _parse()
    sqs = client("sqs")
    url = queue_url(sqs, arguments)
    dead_letter_url = dead_letter_queue(sqs, url)
    letters = peek(sqs, dead_letter_url, arguments.first)
    if not arguments.move:
        _show(arguments, sqs, dead_letter_url, letters)
        return DONE
    if not letters:
        tell("the dead-letter queue is empty: there is nothing to move")
        return DONE
    _show(arguments, sqs, dead_letter_url, [each for each in letters if _is_picked(arguments, each)])
    _confirm(arguments, url)
    if not arguments.id:
        arn = attributes(sqs, dead_letter_url)["QueueArn"]
        moved = move_by_task(sqs, arn, lambda moved, total: tell(f"{moved:,} of {total:,} moved"))
        if moved is not None:
            print(f"{moved:,} moved")
            return DONE
    return _move_one_by_one(arguments, sqs, url, dead_letter_url)


def _move_one_by_one(arguments: argparse.Namespace, sqs: Any, url: str, dead_letter_url: str) -> int:
    patience = RetryPolicy(PATIENCE_SECONDS, threading.Event(), tell)
    mover = Mover(
        sqs,
        dead_letter_url,
        url,
        producer=Producer(sqs, url, patience),
        leases=Leases(
            sqs, dead_letter_url, visibility_timeout=HOLD_SECONDS, retry_policy=patience, tell=tell, counts=Counts()
        ),
        progress=lambda moved: tell(f"{moved:,} moved") if moved % 100 == 0 else None,
    )
    missing: set[str] = set()
    try:
        if arguments.id:
            missing = mover.move_picked(set(arguments.id))
        else:
            mover.move_all()
    finally:
        print(f"{mover.moved:,} moved")
        if mover.maybe_twice:
            tell(f"{mover.maybe_twice:,} may be in the queue twice: the answer to a first attempt was lost")
    for each in sorted(missing):
        tell(f"there is no message {each} in the dead-letter queue, or somebody else is looking at it")
    return FAILED if missing else DONE


def _show(arguments: argparse.Namespace, sqs: Any, dead_letter_url: str, letters: list[DeadLetter]) -> None:
    if arguments.json:
        for letter in letters:
            message = letter.message
            content = {
                "id": message.id,
                "body": message.body,
                "author": message.author,
                "receive_count": message.receive_count,
                "age_seconds": letter.age_seconds,
            }
            print(json.dumps(content))
        return
    for letter in letters:
        message = letter.message
        body = printable(message.body.replace("\n", "\\n"))
        body = body if len(body) <= SHOWN_CHARACTERS else f"{body[: SHOWN_CHARACTERS - 1]}…"
        author = f" (author: {printable(message.author)})" if message.author else ""
        age = "?" if letter.age_seconds is None else f"{letter.age_seconds:,.0f} s"
        print(f"{message.id}  {age:>10}  received {message.receive_count:>3} times  {body}{author}")
    left = attributes(sqs, dead_letter_url)["ApproximateNumberOfMessages"]
    tell(f"{len(letters):,} shown of about {int(left):,} in {dead_letter_url.rpartition('/')[2]}")


def _is_picked(arguments: argparse.Namespace, letter: DeadLetter) -> bool:
    return not arguments.id or letter.message.id in arguments.id


def _confirm(arguments: argparse.Namespace, url: str) -> None:
    if arguments.yes:
        return
    what = f"{len(set(arguments.id)):,} messages" if arguments.id else "all messages"
    if not sys.stdin.isatty():
        raise UsageError(f"nobody is here to confirm that {what} move to {url}: say --yes")
    print(f"Move {what} to {url.rpartition('/')[2]}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise HelloQueueError("nothing was moved")


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--move", action="store_true", help="move messages back; without it, only look")
    options.add_argument("--id", metavar="ID", action="append", default=[], help="only this message (may be repeated)")
    options.add_argument("--yes", action="store_true", help="do not ask")
    options.add_argument("--first", metavar="N", type=number(1, 10_000), default=20, help="show so many (default: 20)")
    options.add_argument("--json", action="store_true", help="show a line of JSON for each")
    add_queue_options(options)
    arguments = options.parse_args()
    if arguments.id and not arguments.move:
        options.error("--id needs --move")
    return arguments


if __name__ == "__main__":
    run(main)

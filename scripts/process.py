"""Process the queue: print each message's body and its author (if set), then delete it.

A message is deleted only after it was printed. One that was printed but not yet deleted when this is killed comes again
after the queue's visibility timeout.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from common.clients import LONG_POLL_SECONDS, client
from common.errors import DONE, run
from common.messages import author_of, for_terminal
from common.options import add_queue_options, number, parser, queue_url

BATCH = 10
"""The most messages that one ReceiveMessage returns."""

EXAMPLES = """\
  python scripts/process.py                     until the queue has been empty for 20 seconds
  python scripts/process.py --count 1           one message
  python scripts/process.py --empty-after 60    more patient"""


def main() -> int:
    arguments = _parse()
    sqs = client("sqs")
    url = queue_url(sqs, arguments)
    processed = process(sqs, url, print_message, count=arguments.count, empty_after=arguments.empty_after)
    print(f"{processed} processed", file=sys.stderr)
    return DONE


def process(
    sqs: Any, url: str, handle: Callable[[Mapping[str, Any]], None], *, count: int | None, empty_after: float
) -> int:
    """Give each message to ``handle``, and delete it when that returns.

    Args:
        sqs: a boto3 client.
        url: the queue's.
        handle: takes a message as ReceiveMessage returns it. What it raises ends the processing; the message stays.
        count: stop after that many messages.
        empty_after: stop when no message has come for so many seconds.

    Returns:
        How many were handled and deleted.
    """
    processed = 0
    deadline = time.monotonic() + empty_after
    while processed != count:
        wait = min(LONG_POLL_SECONDS, max(1, round(deadline - time.monotonic())))
        received = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH if count is None else min(BATCH, count - processed),
            WaitTimeSeconds=wait,
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        for message in received:
            handle(message)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            processed += 1
        if received:
            deadline = time.monotonic() + empty_after
        elif time.monotonic() >= deadline:
            break
    return processed


def print_message(message: Mapping[str, Any]) -> None:
    """Print the message's body and its author (if set)."""
    author = author_of(message)
    text = message["Body"] if author is None else f"{message['Body']} (author: {author})"
    print(for_terminal(text) if sys.stdout.isatty() else text, flush=True)


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--count", metavar="N", type=number(1, 1_000_000_000), help="stop after N messages")
    options.add_argument(
        "--empty-after",
        metavar="SECONDS",
        type=number(0, 86_400),
        default=20,
        help="stop when no message has come for so long (default: %(default)s)",
    )
    add_queue_options(options)
    return options.parse_args()


if __name__ == "__main__":
    run(main)

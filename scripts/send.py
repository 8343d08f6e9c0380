"""Send a message to the queue: "Hello World", or what you say."""

from __future__ import annotations

import argparse
from typing import Any

from common.clients import client
from common.errors import DONE, run
from common.messages import message
from common.options import add_queue_options, parser, queue_url

EXAMPLES = """\
  python scripts/send.py                                  send "Hello World"
  python scripts/send.py --author Ada 'Good morning'      with an author
  python scripts/send.py --queue staging-test             to another queue"""


def main() -> int:
    arguments = _parse()
    parameters = message(arguments.body, arguments.author)
    sqs = client("sqs")
    message_id = send(sqs, queue_url(sqs, arguments), parameters)
    print(f"Sent message {message_id}")
    return DONE


def send(sqs: Any, url: str, parameters: dict[str, Any]) -> str:
    """Send one message and return its id. Once this has returned, SQS keeps the message.

    After an error the message may have been sent all the same: sending it again can make it two.
    """
    return str(sqs.send_message(QueueUrl=url, **parameters)["MessageId"])


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("body", nargs="?", default="Hello World", help="the message (default: %(default)s)")
    options.add_argument("--author", metavar="NAME", help="set the message attribute Author")
    add_queue_options(options)
    return options.parse_args()


if __name__ == "__main__":
    run(main)

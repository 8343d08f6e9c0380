"""What redrive.py shows: messages, why they failed, how far it is, and what may have been overlooked."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from hello_queue.aws.errors import is_denied, is_no_such_queue
from hello_queue.cli.denied import explain_denied
from hello_queue.cli.progress import bar, counted, report
from hello_queue.cli.terminal import printable
from hello_queue.errors import HelloQueueError
from hello_queue.operations.dead_letters import DeadLetter, other_sources
from hello_queue.operations.scan import Scan
from hello_queue.operations.selection import Selection
from hello_queue.sqs.failures import Failure
from hello_queue.sqs.handlers import Message
from hello_queue.sqs.periodic import every
from hello_queue.sqs.queues import attributes, dead_letter_name, is_fifo

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

SHOWN_CHARACTERS = 60
"""How many characters of a body are shown at most."""
ID_CHARACTERS = 36
"""SQS's message ids are UUIDs."""
PROGRESS_SECONDS = 5
SHORT = 1_000
"""Fewer messages than that need no progress bar."""


@dataclass(frozen=True)
class Queues:
    """A queue and its dead-letter queue.

    Attributes:
        url, dead_letter_url: their URLs.
        before: about how many messages the dead-letter queue had at first, hidden or not.
    """

    sqs: SQSClient
    url: str
    dead_letter_url: str
    before: int

    @classmethod
    def of(cls, sqs: SQSClient, url: str) -> Queues:
        name = url.rpartition("/")[2]
        try:
            account, name = dead_letter_name(attributes(sqs, url), url)
            dead_letter_url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            return cls(sqs, url, dead_letter_url, sum(_counts(sqs, dead_letter_url)))
        except ClientError as error:
            if is_denied(error):
                raise HelloQueueError(f"cannot read {name}: {explain_denied([error], url)}") from None
            if is_no_such_queue(error):
                raise HelloQueueError(
                    f"there is no queue {name!r}: check its name, the region and the account, or deploy it again"
                ) from None
            raise

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def dead_letter_name(self) -> str:
        return self.dead_letter_url.rpartition("/")[2]

    def arn(self, url: str) -> str:
        return attributes(self.sqs, url)["QueueArn"]

    def summary(self, found: Sequence[DeadLetter], scan: Scan, selection: Selection) -> str:
        """How many messages are shown, and of how many."""
        picked = f", picked from {scan.looked_at:,}," if selection else ""
        visible, _ = _counts(self.sqs, self.dead_letter_url)
        return f"{len(found):,} shown{picked} of about {visible:,} in {self.dead_letter_name}"

    def nothing_found(self, scan: Scan, selection: Selection) -> str:
        """Why there are no messages to show."""
        return f"none of {scan.looked_at:,} messages was picked" if selection and scan.looked_at else self.contents()

    def contents(self) -> str:
        """What is in the dead-letter queue now, and why it may not have been received."""
        visible, hidden = _counts(self.sqs, self.dead_letter_url)
        if not visible + hidden:
            return "the dead-letter queue is empty"
        text = (
            f"about {visible:,} are in the dead-letter queue, and {hidden:,} more are hidden there, because a consumer "
            "has received them. Try again in a minute"
        )
        if is_fifo(self.url):
            text += ". A FIFO queue shows the next messages of a group only when those before them are gone"
        return text


def _counts(sqs: SQSClient, dead_letter_url: str) -> tuple[int, int]:
    """About how many messages of the dead-letter queue are visible, and hidden."""
    found = attributes(sqs, dead_letter_url)
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


def print_letters(letters: Sequence[DeadLetter], failures: Mapping[str, Failure] | None, *, as_json: bool) -> None:
    """Print each message: for a person a line, or two in a narrow terminal, with the last failure under it; for a
    program a line of JSON.

    Args:
        failures: the last failure by message id; None: they are not to be shown.
    """
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for each in letters:
        failure = None if failures is None else failures.get(each.message.id)
        if as_json:
            _print_json(each, failures is not None, failure)
            continue
        head, content = _head(each), _content(each.message)
        if len(head) + 2 + max(len(content), SHOWN_CHARACTERS) <= columns:
            print(f"{head}  {content}")
        else:
            print(f"{head}\n{_indented(content, columns)}")
        if failures is not None:
            print(_indented(_why(failure), columns))


def _head(letter: DeadLetter) -> str:
    message = letter.message
    age = "?" if letter.age_seconds is None else f"{letter.age_seconds:,.0f} s"
    times = f"{message.receive_count:>3} {'time ' if message.receive_count == 1 else 'times'}"
    return f"{printable(message.id)}  {age:>10}  received {times}"


def _content(message: Message) -> str:
    about = [f"{name}: {value}" for name, value in (("author", message.author), ("group", message.group)) if value]
    beside = f" ({printable(', '.join(about))})" if about else ""
    shown = printable(message.body[: SHOWN_CHARACTERS + 1])
    return (shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[: SHOWN_CHARACTERS - 1]}…") + beside


def _indented(text: str, columns: int) -> str:
    """The text under the line of a message, wrapped to the width of a terminal."""
    if len(text) + 4 <= columns:
        return f"    {text}"
    wrapped = textwrap.wrap(
        text, max(columns, 20), initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False
    )
    return "\n".join(wrapped)


def _why(failure: Failure | None) -> str:
    if failure is None:
        return "the file has no failure of it"
    handler = f", in {failure.handler}" if failure.handler else ""
    return printable(f"{failure.error}{handler}, {failure.time}")


def _print_json(letter: DeadLetter, with_failure: bool, failure: Failure | None) -> None:
    message = letter.message
    content: dict[str, Any] = {
        "id": message.id,
        "body": message.body,
        "author": message.author,
        "group": message.group,
        "receive_count": message.receive_count,
        "age_seconds": letter.age_seconds,
    }
    if with_failure:
        content["failure"] = None if failure is None else asdict(failure)
    print(json.dumps(content))


def progress(
    queues: Queues, scan: Scan, text: Callable[[], str] | None = None
) -> contextlib.AbstractContextManager[None]:
    """Shows how far a scan is: a bar on a terminal, otherwise a line now and then.

    Args:
        text: what was done so far.
    """

    def line() -> str:
        done = f"{text()}, " if text else ""
        return f"{done}{scan.looked_at:,} of about {queues.before:,} looked at"

    if sys.stderr.isatty() and queues.before >= SHORT:
        return bar(queues.before, lambda: scan.looked_at, line)
    return every(PROGRESS_SECONDS, lambda: report(line()))


def overlooked(queues: Queues, scan: Scan) -> bool:
    """Report whether the scan may have left out messages that it should have looked at."""
    if scan.arrived:
        report(f"{counted(scan.arrived, 'message')} sent after this began {'is' if scan.arrived == 1 else 'are'} left")
    for each in sorted(scan.missing):
        whole = "" if len(each) >= ID_CHARACTERS else ". Its id looks cut off: give the whole id"
        report(f"message {each} was not found in the dead-letter queue, or another consumer has received it{whole}")
    if scan.incomplete:
        report(f"{scan.incomplete}. Run the same command again to continue")
    elif not scan.found_all and scan.looked_at < queues.before:
        report(f"{queues.before - scan.looked_at:,} of about {queues.before:,} were not looked at: {queues.contents()}")
        return True
    return bool(scan.missing or scan.incomplete)


def warn_of_other_sources(letters: Sequence[DeadLetter], target_arn: str) -> None:
    for source in sorted(other_sources(letters, target_arn)):
        report(f"warning: there are messages from {source}; they would be moved to {target_arn.rpartition(':')[2]} too")

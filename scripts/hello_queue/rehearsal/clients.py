"""Two clients that use the queue all the time, as the deployment's user: one sends, one processes.

They are plain: one attempt a call, the queue URL and the access key from before the change. What a retry or a restart
would hide is what the rehearsal looks for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.clients import AccessKey, client
from hello_queue.aws.errors import error_code
from hello_queue.errors import HelloQueueError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

MESSAGES = 1_000
"""How many messages are put into each queue."""

_BATCH = 10
_PAUSE_SECONDS = 0.2
_HOLD_SECONDS = 3_600
_WAIT_SECONDS = 20
_CLIENT, _KEPT = "client ", "kept "

_ONE_ATTEMPT = Config(retries={"total_max_attempts": 1})


@dataclass
class Outage:
    """A time in which every call of a client failed.

    Attributes:
        begun: when the first call failed, by `time.monotonic`.
        ended: when a call succeeded again or the client was stopped.
        over: whether a call succeeded again.
        codes: the error codes, each once.
    """

    begun: float
    ended: float
    over: bool = False
    codes: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """Calls ``step`` a few times a second until it is stopped, and records what fails."""

    def __init__(self, step: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self._step = step
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._bug: Exception | None = None
        self.calls = self.failures = 0
        self.outages: list[Outage] = []

    def run(self) -> None:
        more = False
        while not self._stopping.wait(0 if more else _PAUSE_SECONDS):
            code = None
            try:
                more = self._step()
            except ClientError as error:
                code = error_code(error)
            except BotoCoreError as error:
                code = type(error).__name__
            except Exception as error:
                self._bug = error
                self._stopping.set()
            with self._changed:
                self._record(code)
                self._changed.notify_all()
            more = more and code is None

    def _record(self, code: str | None) -> None:
        now = time.monotonic()
        self.calls += 1
        outage = self.outages[-1] if self.outages and not self.outages[-1].over else None
        if outage is not None:
            outage.ended, outage.over = now, code is None
        if code is None:
            return
        self.failures += 1
        if outage is None:
            outage = Outage(now, now)
            self.outages.append(outage)
        if code not in outage.codes:
            outage.codes.append(code)

    def wait_for(self, reached: Callable[[], bool], seconds: float = _WAIT_SECONDS) -> bool:
        """Wait until this holds, which is looked at after each call. Returns whether it does."""
        with self._changed:
            return self._changed.wait_for(lambda: self._bug is not None or reached(), seconds)

    def wait_for_calls(self, more: int) -> None:
        wanted = self.calls + more
        self.wait_for(lambda: self.calls >= wanted)

    def stop(self) -> None:
        self._stopping.set()
        self.join()
        if self._bug is not None:
            raise self._bug


class Clients:
    """The two clients of one queue.

    Attributes:
        held: how many of the messages put into the queue were received. They stay in flight, neither deleted nor
            received again, so that what the clients send passes by them.
        processed: how many of the messages that were sent came back and were deleted.
        undeleted: the receipt handles of those that came back and could not be deleted yet.
    """

    def __init__(self, key: AccessKey, url: str) -> None:
        self._sqs: SQSClient = client("sqs", key=key, config=_ONE_ATTEMPT)
        self._url = url
        self.sent = self.processed = self.held = 0
        self.undeleted: list[str] = []
        self.sending = Client(self._send)
        self.processing = Client(self._process)

    def start(self) -> None:
        """Start both, and wait until they work.

        Raises:
            HelloQueueError: they do not: nothing could be learned from them.
        """
        self.processing.start()
        self.processing.wait_for(lambda: self.held >= MESSAGES or self.processing.failures > 0)
        self.sending.start()
        self.processing.wait_for(lambda: self.processed > 0 or self.processing.failures > 0)
        if self.processed == 0:
            self.stop()
            outages = [*self.sending.outages, *self.processing.outages]
            codes = ", ".join(sorted({code for outage in outages for code in outage.codes})) or "no message came back"
            raise HelloQueueError(f"the queue cannot be used before the change ({codes}): nothing to rehearse")

    def drain(self) -> None:
        """Stop sending, and go on processing until everything came back, or nothing comes any more."""
        self.sending.stop()
        calls = self.processing.calls
        self.processing.wait_for(lambda: self.processed >= self.sent or self.processing.calls >= calls + 10, 10)

    def stop(self) -> None:
        for each in (self.sending, self.processing):
            if each.ident is not None:
                each.stop()

    def _send(self) -> bool:
        self._sqs.send_message(QueueUrl=self._url, **_message(self._url, f"{_CLIENT}{self.sending.calls}"))
        self.sent += 1
        return False

    def _process(self) -> bool:
        received = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=_BATCH, VisibilityTimeout=_HOLD_SECONDS
        ).get("Messages", [])
        handles = [each["ReceiptHandle"] for each in received if each["Body"].startswith(_CLIENT)]
        self.held += len(received) - len(handles)
        self.undeleted += handles
        while self.undeleted:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=self.undeleted[0])
            del self.undeleted[0]
            self.processed += 1
        return len(received) == _BATCH


def fill(url: str) -> None:
    """Put `MESSAGES` messages into a queue."""
    sqs = client("sqs")
    for first in range(0, MESSAGES, _BATCH):
        entries: Any = [{"Id": str(number), **_message(url, f"{_KEPT}{first + number}")} for number in range(_BATCH)]
        if failed := sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed"):
            raise HelloQueueError(f"{url} does not take messages: {failed[0].get('Message', failed[0]['Code'])}")


def left_in(url: str, in_flight: int = 0) -> int | None:
    """How many of the messages put into a queue are still in it; None if there is no such queue.

    The clients are stopped. What they sent and did not process is received, to tell it from the others.

    Args:
        in_flight: how many of the messages in flight are the clients'.
    """
    sqs = client("sqs")
    try:
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    except ClientError as error:
        if "NonExistentQueue" in error_code(error):
            return None
        raise
    kept = int(counts["ApproximateNumberOfMessagesNotVisible"]) - in_flight
    while received := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=_BATCH, VisibilityTimeout=_HOLD_SECONDS
    ).get("Messages", []):
        kept += sum(each["Body"].startswith(_KEPT) for each in received)
    return min(max(kept, 0), MESSAGES)  # a worker may have some of the clients' in flight


def _message(url: str, body: str) -> Any:
    """A message without the queue's delay, which a FIFO queue does not let a message change."""
    if url.endswith(".fifo"):
        return {"MessageBody": body, "MessageGroupId": body, "MessageDeduplicationId": body}
    return {"MessageBody": body, "DelaySeconds": 0}

"""Receives messages by long polling, and repeats calls that fail with a transient error."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore import exceptions as aws

from hello_queue.aws.clients import LONG_POLL_SECONDS
from hello_queue.sqs.handlers import from_receive
from hello_queue.sqs.leases import Lease
from hello_queue.sqs.retries import RetryPolicy, is_transient

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


class Poller:
    """Receives the messages of one queue. Threads may share it.

    Args:
        sqs: a client.
        url: the queue's.
        visibility_timeout: for how many seconds received messages are hidden.
        empty_after: how many seconds without a message make the queue count as empty.
        retry_policy: how long to repeat calls.

    Attributes:
        last_message: when a message was last received (`time.monotonic`, seconds).
    """

    def __init__(
        self, sqs: SQSClient, url: str, *, visibility_timeout: int, empty_after: float, retry_policy: RetryPolicy
    ) -> None:
        self.last_message = time.monotonic()
        self._sqs = sqs
        self._url = url
        self._timeout = visibility_timeout
        self._empty_after = empty_after
        self._retry_policy = retry_policy

    @property
    def is_empty(self) -> bool:
        """Whether no message has been received for long enough."""
        return time.monotonic() - self.last_message >= self._empty_after

    def poll(self, max_messages: int) -> list[Lease]:
        """Receive up to ``max_messages``, 1 to 10.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the error is not transient, or lasted too long.
            Stopped: there was a stop while this waited to try again.
        """
        attempt = 0
        while True:
            attempt += 1
            now = time.monotonic()
            remaining = self.last_message + self._empty_after - now
            try:
                answer = self._sqs.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=max_messages,
                    WaitTimeSeconds=max(1, round(min(remaining, LONG_POLL_SECONDS))),
                    VisibilityTimeout=self._timeout,
                    MessageAttributeNames=["All"],
                    MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"],
                )
            except (aws.ClientError, aws.BotoCoreError) as error:
                if not is_transient(error):
                    raise
                self._retry_policy.wait(attempt, error)
                continue
            self._retry_policy.succeeded()
            until = now + self._timeout
            leases = [Lease(from_receive(each), each["ReceiptHandle"], until) for each in answer.get("Messages", ())]
            if leases:
                self.last_message = time.monotonic()
            return leases

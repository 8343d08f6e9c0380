"""Receives messages: how many receives are under way, and how many messages each asks for."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from botocore import exceptions as aws

from hello_queue.sqs.checksums import attributes_md5, body_md5
from hello_queue.sqs.handlers import from_receive
from hello_queue.sqs.leases import Counts, Lease
from hello_queue.sqs.notices import Notice, Report
from hello_queue.sqs.queues import MAX_BATCH_ENTRIES
from hello_queue.sqs.retries import RetryPolicy, is_transient
from hello_queue.sqs.transports import Transport

POLL_SECONDS = 4
"""WaitTimeSeconds of a receive. A stop waits for the receives in progress, because cutting one off could hide its
messages for the visibility timeout. At 4 seconds an idle consumer makes 650,000 requests a month, which are free; at
SQS's maximum of 20 seconds it would make 130,000, and a stop would take up to 20 seconds."""
MAX_RECEIVES = 128

_SYSTEM_ATTRIBUTES = ["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"]


class Poller:
    """Polls one queue. One receive waits while the queue is empty; others start while they return full batches.

    Args:
        transport: calls SQS.
        url: the queue's.
        visibility_timeout: the queue's, in seconds.
        limit: the most messages to receive.
        empty_after: seconds without a message after which `is_empty` is true.
        retry_policy: how long transient errors are retried.
        report: see `hello_queue.sqs.notices`.
        counts: counts received messages, and failed ones that were altered on the way.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        *,
        visibility_timeout: int,
        limit: float,
        empty_after: float,
        retry_policy: RetryPolicy,
        report: Report,
        counts: Counts,
    ) -> None:
        self._transport = transport
        self._url = url
        self._timeout = visibility_timeout
        self._budget = limit
        self._empty_after = empty_after
        self._retry_policy = retry_policy
        self._report = report
        self._counts = counts
        self._loop = asyncio.get_running_loop()
        self._last_message = self._loop.time()
        self._stopped = False
        self._wanted = 1
        self.receives = 0
        self.asked = 0

    def stop(self) -> None:
        self._stopped = True
        self._retry_policy.stop()

    @property
    def is_empty(self) -> bool:
        """Whether no message has been received for long enough."""
        return self._loop.time() - self._last_message >= self._empty_after

    @property
    def is_exhausted(self) -> bool:
        """Whether the limit is reached."""
        return self._budget <= 0 and self.receives == 0

    def reserve(self, room: float) -> int:
        """How many messages the next receive asks for; 0: no receive is useful now. Call `receive` with the result.

        Args:
            room: how many more messages can be handled soon.
        """
        if self._stopped or self.receives >= self._wanted:
            return 0
        number = int(max(0, min(MAX_BATCH_ENTRIES, room, self._budget)))
        if number:
            self._budget -= number
            self.asked += number
            self.receives += 1
        return number

    async def receive(self, number: int, *, idle: bool) -> list[Lease]:
        """Receive up to this many messages, retrying transient errors. After a stop, none.

        Args:
            idle: nothing else is in progress, so the receive can wait.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the error is not transient, or lasted too long.
            Stopped: a stop was requested while it waited for the next attempt.
        """
        leases: list[Lease] = []
        try:
            leases = await self._receive(number, idle)
        finally:
            self.receives -= 1
            self.asked -= number
            self._budget += number - len(leases)
        if leases:
            self._last_message = self._loop.time()
            self._counts.add("received", len(leases))
        if len(leases) == number == MAX_BATCH_ENTRIES:
            self._wanted = min(MAX_RECEIVES, self._wanted * 2)
        else:
            self._wanted = max(1, self._wanted - 1) if leases else 1
        return leases

    async def _receive(self, number: int, idle: bool) -> list[Lease]:
        attempt = 0
        while not self._stopped:
            attempt += 1
            now = self._loop.time()
            remaining = self._last_message + self._empty_after - now
            parameters = {
                "QueueUrl": self._url,
                "MaxNumberOfMessages": number,
                "WaitTimeSeconds": max(1, round(min(remaining, POLL_SECONDS))) if idle else 1,
                "VisibilityTimeout": self._timeout,
                "MessageAttributeNames": ["All"],
                "MessageSystemAttributeNames": _SYSTEM_ATTRIBUTES,
            }
            try:
                answer = await self._transport.call("ReceiveMessage", parameters)
            except (aws.ClientError, aws.BotoCoreError) as error:
                if not is_transient(error):
                    raise
                await self._retry_policy.wait(attempt, error)
                continue
            self._retry_policy.succeeded()
            until = now + self._timeout
            received = answer.get("Messages", ())
            return [
                Lease(from_receive(each), each["ReceiptHandle"], until) for each in received if self._is_intact(each)
            ]
        return []

    def _is_intact(self, received: Any) -> bool:
        attributes = received.get("MessageAttributes")
        if received["MD5OfBody"] == body_md5(received["Body"]) and (
            not attributes or received.get("MD5OfMessageAttributes") == attributes_md5(attributes)
        ):
            return True
        self._counts.add("failed")
        text = (
            f"message {received['MessageId']} is not handled, because its content does not match SQS's MD5 digest. It "
            "is received again after the visibility timeout"
        )
        self._report(Notice(text, level=logging.ERROR, message=from_receive(received)))
        return False

"""Which errors are transient, and how long to retry."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Any

from botocore import exceptions as aws

from hello_queue.aws.errors import error_code, explain
from hello_queue.sqs.notices import Notice, Report

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 10.0
REPORT_SECONDS = 10.0

_TRANSIENT_CODES = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
    *("TooManyRequestsException", "KmsThrottled", "KMS.ThrottlingException", "OverLimit"),
    *("InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable", "RequestTimeout"),
}
"""The legacy query names and the JSON names, as botocore gives either. OverLimit: too many messages are in flight,
which ends when they are deleted."""


def is_transient(error: Exception) -> bool:
    """Whether the same call can succeed later."""
    if isinstance(error, aws.ClientError):
        return is_transient_code(error_code(error)) or _status(error) >= 500 or _status(error) == 429
    if isinstance(error, (aws.SSLError, aws.ProxyConnectionError)):
        return False  # a wrong certificate or proxy stays wrong
    return isinstance(error, (aws.HTTPClientError, aws.ConnectionError))


def is_transient_code(code: str) -> bool:
    """The same for the code of a failed batch entry."""
    return code.removeprefix("AWS.SimpleQueueService.") in _TRANSIENT_CODES


def is_final(failure: Mapping[str, Any]) -> bool:
    """Whether retrying a failed batch entry (``Failed``) is useless."""
    return bool(failure.get("SenderFault")) and not is_transient_code(failure["Code"])


def reason_of(failure: Mapping[str, Any]) -> str:
    """Why a batch entry failed, for a person."""
    return f"{failure.get('Message') or 'no reason given'} ({failure['Code']})"


def may_have_acted(error: Exception) -> bool:
    """Whether SQS may have done what was asked although an error came back: its response was lost, or it failed."""
    if isinstance(error, aws.ClientError):
        return _status(error) >= 500
    return not isinstance(error, (aws.EndpointConnectionError, aws.ConnectTimeoutError))


def _status(error: aws.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


class Stopped(Exception):
    """A stop was requested during the wait for the next attempt."""


class RetryPolicy:
    """How long failing calls are retried, for all tasks together: until none has succeeded for so many seconds. Each is
    retried once at least, because one may fail long after another that was not retried to its end.

    Args:
        timeout: that many seconds. 0: nothing is retried.
        report: see `hello_queue.sqs.notices`; called when errors begin, at intervals while they last, and when they end
            after longer than such an interval.
        jitter: returns a number from 0 to 1.
    """

    def __init__(self, timeout: float, report: Report, jitter: Callable[[], float] = random.random) -> None:
        self.timeout = timeout
        self._report = report
        self._jitter = jitter
        self._stop = asyncio.Event()
        self._failing_since: float | None = None
        self._failed_at = 0.0
        self._reported_at = float("-inf")

    def stop(self) -> None:
        """End all waiting."""
        self._stop.set()

    @property
    def is_failing(self) -> bool:
        """Whether none has succeeded since the last one failed."""
        return self._failing_since is not None

    def succeeded(self) -> None:
        if self._failing_since is not None:
            lasted, self._failing_since = self._failed_at - self._failing_since, None
            if lasted >= REPORT_SECONDS:
                self._report(Notice(f"calls succeed again: they failed for {lasted:.0f} s", level=logging.INFO))

    async def wait(self, attempt: int, reason: Exception | str) -> None:
        """Wait before the next attempt, with exponential backoff and full jitter.

        Args:
            attempt: how many have failed so far: 1, 2, ...
            reason: why the last one failed; if it is an error, one that `is_transient`.

        Raises:
            Stopped: a stop was requested.
            botocore.exceptions.ClientError, BotoCoreError: the reason, after the timeout.
        """
        now = asyncio.get_running_loop().time()
        if self._failing_since is None:
            self._failing_since = now
        self._failed_at = now
        is_over = now - self._failing_since >= self.timeout and (attempt > 1 or not self.timeout)
        if is_over and isinstance(reason, Exception):
            raise reason
        if now - self._reported_at > REPORT_SECONDS:
            self._reported_at = now
            text = reason if isinstance(reason, str) else explain(reason)  # type: ignore[arg-type]  # it is transient
            self._report(Notice(f"{text}. Trying again for up to {self.timeout:g} s"))
        delay = self._jitter() * min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(attempt, 10))
        try:
            await asyncio.wait_for(self._stop.wait(), delay)
        except (asyncio.TimeoutError, TimeoutError):
            return
        raise Stopped

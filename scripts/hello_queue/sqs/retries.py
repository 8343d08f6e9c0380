"""Which errors are transient, and how long to wait before a call is repeated."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore import exceptions as aws

from hello_queue.aws.errors import error_code, explain

FIRST_DELAY_SECONDS = 0.1
MAX_DELAY_SECONDS = 10.0
REPORT_INTERVAL_SECONDS = 10.0

_TRANSIENT_CODES = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
    *("TooManyRequestsException", "KmsThrottled", "KMS.ThrottlingException", "OverLimit"),
    *("InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable", "RequestTimeout"),
}
"""Query-compatible names and JSON names, since botocore returns either. OverLimit: too many messages are in flight,
which ends when some are deleted."""


def is_transient(error: aws.BotoCoreError | aws.ClientError) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, aws.ClientError):
        return is_transient_code(error_code(error)) or _status(error) >= 500 or _status(error) == 429
    if isinstance(error, (aws.SSLError, aws.ProxyConnectionError)):
        return False  # a wrong certificate or proxy needs a person
    return isinstance(error, (aws.HTTPClientError, aws.ConnectionError))


def is_transient_code(code: str) -> bool:
    """Whether an error code, such as that of a failed batch entry, is transient."""
    return code.removeprefix("AWS.SimpleQueueService.") in _TRANSIENT_CODES


def is_final(failure: Mapping[str, Any]) -> bool:
    """Whether a failed batch entry (one of ``Failed``) would fail again."""
    return bool(failure.get("SenderFault")) and not is_transient_code(failure["Code"])


def reason_of(failure: Mapping[str, Any]) -> str:
    """Why a batch entry failed, for a person."""
    return f"{failure.get('Message') or 'no reason given'} ({failure['Code']})"


def may_have_acted(error: aws.BotoCoreError | aws.ClientError) -> bool:
    """Whether the server may have done the work although the call failed: the response was lost, or the server failed
    after it had begun."""
    if isinstance(error, aws.ClientError):
        return _status(error) >= 500
    return not isinstance(error, (aws.EndpointConnectionError, aws.ConnectTimeoutError))


def _status(error: aws.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


class Stopped(Exception):
    """A stop was requested while waiting for the next attempt."""


class RetryPolicy:
    """Exponential backoff with a limit, shared by all threads: calls are repeated until none has succeeded for
    ``seconds``.

    Args:
        seconds: the limit. 0: a call is not repeated.
        stop: set to end all waiting.
        tell: takes a line of text for a person: when calls begin to fail, and now and then while they do.
    """

    def __init__(self, seconds: float, stop: threading.Event, tell: Callable[[str], None]) -> None:
        self.seconds = seconds
        self._stop = stop
        self._tell = tell
        self._lock = threading.Lock()
        self._failing_since: float | None = None
        self._reported_at = float("-inf")

    def succeeded(self) -> None:
        """Record that a call has succeeded."""
        self._failing_since = None

    def wait(self, attempt: int, reason: aws.BotoCoreError | aws.ClientError | str) -> None:
        """Wait before the next attempt, with exponential backoff and full jitter.

        Args:
            attempt: how many attempts have failed: 1, 2, ...
            reason: why the last attempt failed. An error must be one that `is_transient`.

        Raises:
            Stopped: a stop was requested.
            botocore.exceptions.ClientError, BotoCoreError: the reason, if the limit is reached.
        """
        now = time.monotonic()
        with self._lock:
            self._failing_since = self._failing_since or now
            failing_for = now - self._failing_since
            report = now - self._reported_at > REPORT_INTERVAL_SECONDS
            if report:
                self._reported_at = now
        if isinstance(reason, Exception) and failing_for >= self.seconds:
            raise reason
        if report:
            text = reason if isinstance(reason, str) else explain(reason)
            self._tell(f"{text}. Trying again, for up to {self.seconds:g} s without success")
        delay = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(attempt, 10))
        # The jitter spreads load; it protects no secret.
        if self._stop.wait(random.uniform(0, delay)):  # noqa: S311
            raise Stopped

"""What can pass and what cannot, and how long to wait in between."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore import exceptions as aws

from hello_queue.aws.errors import error_code, explain

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 10.0
TELL_EVERY_SECONDS = 10.0

_PASSING = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
    *("TooManyRequestsException", "KmsThrottled", "KMS.ThrottlingException", "OverLimit"),
    *("InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable", "RequestTimeout"),
}
"""Codes of errors that go away. The legacy query names and the JSON names, as botocore gives either. OverLimit: too
many messages in flight, which ends as they are deleted."""


def may_pass(error: aws.BotoCoreError | aws.ClientError) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, aws.ClientError):
        return code_may_pass(error_code(error)) or _status(error) >= 500 or _status(error) == 429
    if isinstance(error, (aws.SSLError, aws.ProxyConnectionError)):
        return False  # a certificate or a proxy that is wrong stays so
    return isinstance(error, (aws.HTTPClientError, aws.ConnectionError))


def code_may_pass(code: str) -> bool:
    """The same for the code of one failed entry of a batch."""
    return code.removeprefix("AWS.SimpleQueueService.") in _PASSING


def is_final(failure: Mapping[str, Any]) -> bool:
    """Whether a failed entry of a batch (``Failed``) fails for good."""
    return bool(failure.get("SenderFault")) and not code_may_pass(failure["Code"])


def reason_of(failure: Mapping[str, Any]) -> str:
    """Why an entry of a batch failed, for a person."""
    return f"{failure.get('Message') or 'no reason given'} ({failure['Code']})"


def may_have_acted(error: aws.BotoCoreError | aws.ClientError) -> bool:
    """Whether the server may have done what was asked although an error came back: its answer was lost, or it broke."""
    if isinstance(error, aws.ClientError):
        return _status(error) >= 500
    return not isinstance(error, (aws.EndpointConnectionError, aws.ConnectTimeoutError))


def _status(error: aws.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


class Stopped(Exception):
    """Somebody asked to stop while this waited to try again."""


class RetryPolicy:
    """How long failing calls are repeated, for all threads together: until none has succeeded for so many seconds.

    Args:
        seconds: how long. 0: a first failure is final.
        stop: set to end all waiting.
        tell: takes a line for a person, when trouble begins and at times while it lasts.
    """

    def __init__(self, seconds: float, stop: threading.Event, tell: Callable[[str], None]) -> None:
        self.seconds = seconds
        self._stop = stop
        self._tell = tell
        self._lock = threading.Lock()
        self._failing_since: float | None = None
        self._told_at = float("-inf")

    def succeeded(self) -> None:
        self._failing_since = None

    def wait(self, attempt: int, reason: aws.BotoCoreError | aws.ClientError | str) -> None:
        """Wait before the next attempt, with exponential backoff and full jitter.

        Args:
            attempt: how many have failed so far: 1, 2, …
            reason: why the last one failed; if it is an error, one that `may_pass`.

        Raises:
            Stopped: there will be no next attempt, by somebody's wish.
            botocore.exceptions.ClientError, BotoCoreError: the reason, when the patience is at its end.
        """
        now = time.monotonic()
        with self._lock:
            self._failing_since = self._failing_since or now
            failing_for = now - self._failing_since
            tell = now - self._told_at > TELL_EVERY_SECONDS
            if tell:
                self._told_at = now
        if isinstance(reason, Exception) and failing_for >= self.seconds:
            raise reason
        if tell:
            why = reason if isinstance(reason, str) else explain(reason)
            self._tell(f"{why}. Trying again, for up to {self.seconds:g} s without success")
        delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(attempt, 10))
        # Jitter against a herd, not for secrets.
        if self._stop.wait(random.uniform(0, delay)):  # noqa: S311
            raise Stopped

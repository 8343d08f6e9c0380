"""Signature Version 4 for SQS's JSON requests.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Credentials to sign with. The secrets stay out of what is printed.

    Attributes:
        token: the session token of temporary credentials, or None.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class Signer:
    """Writes the head of signed requests to one endpoint.

    Args:
        host: as in the Host header: without a default port.
        path: the request path, percent-encoded.
        region, service: the credential scope.
    """

    def __init__(self, *, host: str, path: str, region: str, service: str = "sqs") -> None:
        self._host = host
        self._path = path
        self._region = region
        self._service = service
        self._second = -1
        self._timestamp = ""
        self._derived_for: tuple[str, str] = ("", "")
        self._derived = b""

    def head(self, action: str, body: bytes, key: SigningKey, now: float) -> bytes:
        """The request line and headers, signed.

        Args:
            action: the API action, such as ``SendMessageBatch``.
            now: seconds since the epoch, by the clock of SQS.
        """
        timestamp = self._at(int(now))
        token_header = f"x-amz-security-token:{key.token}\n" if key.token else ""
        signed = "content-type;host;x-amz-date;" + ("x-amz-security-token;" if key.token else "")
        signed += "x-amz-target;x-amzn-query-mode"
        canonical = (
            f"POST\n{self._path}\n\ncontent-type:application/x-amz-json-1.0\nhost:{self._host}\n"
            f"x-amz-date:{timestamp}\n{token_header}x-amz-target:AmazonSQS.{action}\nx-amzn-query-mode:true\n\n"
            f"{signed}\n{hashlib.sha256(body).hexdigest()}"
        )
        scope = f"{timestamp[:8]}/{self._region}/{self._service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
        signature = hmac.digest(self._key_of_the_day(key, timestamp[:8]), to_sign.encode(), "sha256").hex()
        return (
            f"POST {self._path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"X-Amz-Target: AmazonSQS.{action}\r\nX-Amzn-Query-Mode: true\r\nX-Amz-Date: {timestamp}\r\n"
            f"{f'X-Amz-Security-Token: {key.token}' + chr(13) + chr(10) if key.token else ''}"
            f"Authorization: AWS4-HMAC-SHA256 Credential={key.access_key_id}/{scope}, SignedHeaders={signed}, "
            f"Signature={signature}\r\nUser-Agent: hello-queue\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode("latin-1")

    def _at(self, second: int) -> str:
        if second != self._second:
            self._second = second
            self._timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        return self._timestamp

    def _key_of_the_day(self, key: SigningKey, day: str) -> bytes:
        if self._derived_for != (key.secret_access_key, day):
            derived = f"AWS4{key.secret_access_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                derived = hmac.digest(derived, part.encode(), "sha256")
            self._derived, self._derived_for = derived, (key.secret_access_key, day)
        return self._derived

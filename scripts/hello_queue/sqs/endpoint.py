"""What a user has configured for botocore: endpoint, region, credentials, certificates, proxies.

botocore decides, by its own rules: it prepares one request, which is looked at and not sent.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore import exceptions as aws
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from hello_queue.sqs.signing import SigningKey

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

CREDENTIALS_SECONDS = 1.0
"""How long credentials are used before they are checked for expiry again."""

_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True)
class Endpoint:
    """Where and how to call SQS.

    Attributes:
        url: scheme, authority and path.
        region, service: the scope of signatures.
        authorities: a file of the certificates to trust; None: nothing is verified.
    """

    url: str
    region: str
    service: str
    authorities: str | None

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def path(self) -> str:
        return urlsplit(self.url).path or "/"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or (443 if self.scheme == "https" else 80)

    @property
    def host_header(self) -> str:
        parts = urlsplit(self.url)
        default = {"https": 443, "http": 80}.get(parts.scheme)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        return host if parts.port in (None, default) else f"{host}:{parts.port}"

    def tls_context(self) -> ssl.SSLContext | None:
        if self.scheme != "https":
            return None
        if self.authorities is None:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            return context
        return ssl.create_default_context(cafile=self.authorities)


def endpoint_of(sqs: SQSClient, queue_url: str) -> Endpoint | None:
    """Where botocore would send the calls for this queue.

    Returns:
        None where only botocore can: through a proxy, with a client certificate, or signed otherwise than by SigV4.

    Raises:
        botocore.exceptions.BotoCoreError: no region, no credentials, and so on.
    """
    client: Any = sqs
    config = client.meta.config
    proxies = config.proxies or get_environ_proxies(client.meta.endpoint_url)
    if config.client_cert or {"all", urlsplit(client.meta.endpoint_url).scheme} & proxies.keys():
        return None
    prepared: list[AWSPreparedRequest] = []

    def look_at(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        prepared.append(request)
        return AWSResponse(request.url, 200, {}, _Nothing())  # type: ignore[arg-type]  # all that botocore needs

    client.meta.events.register_first("before-send.sqs", look_at)
    try:
        sqs.get_queue_attributes(QueueUrl=queue_url)
    finally:
        client.meta.events.unregister("before-send.sqs", look_at)
    (request,) = prepared
    authorization = request.headers.get("Authorization", b"")
    text = authorization.decode() if isinstance(authorization, bytes) else authorization
    scope = _SCOPE.match(text)
    if scope is None:
        return None
    verify = client._endpoint.http_session._verify
    authorities = get_cert_path(verify) if verify else None
    return Endpoint(str(request.url), scope.group(1), scope.group(2), authorities)


class _Nothing:
    def stream(self) -> list[bytes]:
        return [b"{}"]


class Credentials:
    """The credentials that botocore has found, whatever their kind, refreshed in time.

    Args:
        source: botocore's Credentials object.
    """

    def __init__(self, source: Any) -> None:
        if source is None:
            raise aws.NoCredentialsError()
        self._source = source
        self._current: SigningKey | None = None
        self._checked_at = float("-inf")
        self._refreshing: asyncio.Future[SigningKey] | None = None

    async def current(self) -> SigningKey:
        """Credentials that have not expired.

        Raises:
            botocore.exceptions.BotoCoreError: they could not be refreshed.
        """
        if self._current is not None and time.monotonic() - self._checked_at < CREDENTIALS_SECONDS:
            return self._current
        needed = getattr(self._source, "refresh_needed", None)
        if self._current is None or (needed is not None and needed()):
            return await self._refresh()
        self._checked_at = time.monotonic()
        return self._current

    async def refresh(self, refused: SigningKey) -> bool:
        """Get other credentials than those that SQS has refused. Returns whether there are."""
        if self._current is refused or self._current is None:
            if hasattr(self._source, "_expiry_time"):
                self._source._expiry_time = self._source._time_fetcher()  # for botocore they expire now
            await self._refresh()
        return self._current != refused

    async def _refresh(self) -> SigningKey:
        """Once for all who wait; in a thread, as it can take a process or a network call."""
        if self._refreshing is None:
            self._refreshing = asyncio.ensure_future(self._fetch())
        return await asyncio.shield(self._refreshing)

    async def _fetch(self) -> SigningKey:
        try:
            frozen = await asyncio.to_thread(self._source.get_frozen_credentials)
        finally:
            self._refreshing = None
        key = SigningKey(frozen.access_key, frozen.secret_key, frozen.token)
        self._checked_at = time.monotonic()
        if self._current != key:
            self._current = key
        return self._current

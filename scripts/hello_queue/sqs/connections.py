"""HTTP/1.1 over kept connections: one request at a time on each, as many connections as there are requests."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast

import httptools
from botocore import exceptions as aws

_CHECK_SECONDS = 0.1
"""How often deadlines are checked."""


@dataclass(slots=True)
class Response:
    """An HTTP response, complete."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header, or None. The name is in lower case."""
        wanted = name.encode()
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), None)


class Connections:
    """The connections to one host.

    Args:
        url: scheme and authority, for error messages.
        host, port: where to connect.
        context: how to verify the server; None for plain HTTP.
        connect_timeout: seconds.
    """

    def __init__(self, url: str, host: str, port: int, context: ssl.SSLContext | None, connect_timeout: float) -> None:
        self._url = url
        self._host = host
        self._port = port
        self._context = context
        self._connect_timeout = connect_timeout
        self._idle: list[_Connection] = []
        self._deadlines: dict[_Connection, float] = {}
        self._check: asyncio.TimerHandle | None = None

    async def exchange(self, request: bytes, timeout: float) -> Response:
        """Send a request and return its response.

        Raises:
            botocore.exceptions.HTTPClientError, ConnectionError: what botocore raises for the same reasons.
        """
        connection = self._reusable() or await self._connect(min(self._connect_timeout, timeout))
        self._deadlines[connection] = asyncio.get_running_loop().time() + timeout
        if self._check is None:
            self._check_deadlines()
        try:
            response = await connection.exchange(request)
        except TimeoutError as error:
            raise aws.ReadTimeoutError(endpoint_url=self._url, error=error) from error
        except (OSError, httptools.HttpParserError) as error:
            raise aws.ConnectionClosedError(error=error, endpoint_url=self._url) from error
        finally:
            del self._deadlines[connection]
        if connection.is_reusable:
            self._idle.append(connection)
        return response

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _check_deadlines(self) -> None:
        """One timer for all connections: a timer for each request costs a tenth of the request."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection, deadline in list(self._deadlines.items()):
            if now >= deadline:
                connection.fail(TimeoutError("no response in time"))
        self._check = loop.call_later(_CHECK_SECONDS, self._check_deadlines) if self._deadlines else None

    def _reusable(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable:
                return connection
        return None

    async def _connect(self, timeout: float) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await asyncio.wait_for(
                loop.create_connection(
                    _Connection,
                    self._host,
                    self._port,
                    ssl=self._context,
                    server_hostname=self._host if self._context else None,
                ),
                timeout,
            )
        except ssl.SSLCertVerificationError as error:
            raise aws.SSLError(endpoint_url=self._url, error=error) from error
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise aws.ConnectTimeoutError(endpoint_url=self._url, error=error) from error
        except OSError as error:
            raise aws.EndpointConnectionError(endpoint_url=self._url, error=error) from error
        return connection


class _Connection(asyncio.Protocol):
    """One connection. httptools calls the ``on_`` methods as it parses a response."""

    def __init__(self) -> None:
        self.is_reusable = True
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Response] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    async def exchange(self, request: bytes) -> Response:
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._waiting
        except BaseException:
            self.close()  # an unread response must not become that of the next request
            raise

    def fail(self, error: Exception) -> None:
        """End the exchange in progress with this error."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    def close(self) -> None:
        self.is_reusable = False
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            self.close()  # a server that talks between two requests cannot be trusted with the next one
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_reusable = False
        self.fail(error or ConnectionResetError("the connection was closed before the response was complete"))

    # What httptools calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        response = Response(self._parser.get_status_code(), self._headers, body)
        self._headers, self._body = [], []
        if not self._parser.should_keep_alive():
            self.close()
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(response)

"""A boto3 client for SQS whose calls take about half of the usual time. Three costs are removed:

- botocore's validation of parameters: `hello_queue.sqs.messages` has validated them, or they come from this package;
- the user agent, which botocore composes for each call: here it is constant;
- urllib3 and `http.client`: botocore's before-send event sends requests over persistent connections, and httptools
  parses the responses. With a proxy or a client certificate, urllib3 is used.

The client does not retry: its caller must know what was retried, and why.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

import boto3
import botocore
import botocore.session
import httptools
from botocore import exceptions as aws
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from hello_queue.aws.clients import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, client

_CONFIG = Config(
    parameter_validation=False,
    user_agent=f"hello-queue Boto3/{boto3.__version__} Botocore/{botocore.__version__}",
    retries={"mode": "standard", "total_max_attempts": 1},
)


def queue_client() -> Any:
    """An SQS client that threads may share."""
    sqs = client("sqs", config=_CONFIG)
    config: Any = sqs.meta.config
    if not (config.proxies or config.client_cert or get_environ_proxies(sqs.meta.endpoint_url)):
        events: Any = sqs.meta.events
        events.register("before-send.sqs", Connections(_authorities()).send)
    return sqs


def _authorities() -> str:
    """The file of trusted certificates that botocore would use."""
    configured = botocore.session.Session().get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    return str(get_cert_path(configured or True))  # type: ignore[arg-type]  # it takes a path too


class Connections:
    """Sends botocore's prepared requests over persistent connections. Threads may share it.

    Args:
        authorities: a file of trusted certificates.
    """

    def __init__(self, authorities: str) -> None:
        self._authorities = authorities
        self._context: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, str], list[socket.socket]] = {}

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Send the request, as botocore's HTTP session does.

        Raises:
            botocore.exceptions.HTTPClientError, ConnectionError: as botocore's session does.
        """
        url = urlsplit(request.url)
        idle = self._idle.setdefault((url.scheme, url.netloc), [])
        connection = _reusable(idle) or self._connect(url)
        try:
            connection.sendall(_encoded(request, url))
            answer = _read_answer(connection)
        except TimeoutError as error:
            connection.close()
            raise aws.ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except (OSError, httptools.HttpParserError) as error:
            connection.close()
            raise aws.ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from error
        except BaseException:
            connection.close()  # an unread response must not become that of the next request
            raise
        if answer.keep_alive:
            idle.append(connection)
        else:
            connection.close()
        return AWSResponse(request.url, answer.status, answer.headers, answer)  # type: ignore[arg-type]  # a dict will do

    def _connect(self, url: SplitResult) -> socket.socket:
        where = f"{url.scheme}://{url.netloc}"
        host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        try:
            connection = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if url.scheme == "https":
                connection = self._trusting().wrap_socket(connection, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise aws.SSLError(endpoint_url=where, error=error) from error
        except TimeoutError as error:
            raise aws.ConnectTimeoutError(endpoint_url=where, error=error) from error
        except OSError as error:
            raise aws.EndpointConnectionError(endpoint_url=where, error=error) from error
        connection.settimeout(READ_TIMEOUT_SECONDS)
        return connection

    def _trusting(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._authorities)
        return self._context


class _Answer:
    """A response. httptools calls the on_ methods, and AWSResponse reads the body from it."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.keep_alive = False
        self.complete = False
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.keep_alive = self._parser.should_keep_alive()
        self.complete = True

    def stream(self) -> Iterator[bytes]:
        yield from self._body


def _encoded(request: AWSPreparedRequest, url: SplitResult) -> bytes:
    lines = [f"{request.method} {url.path or '/'} HTTP/1.1"]
    if "host" not in request.headers:  # awscrt adds it when it signs
        lines.append(f"Host: {url.netloc}")
    for name, value in request.headers.items():
        lines.append(f"{name}: {value.decode('latin-1') if isinstance(value, bytes) else value}")
    body: Any = request.body
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + (body or b"")


def _read_answer(connection: socket.socket) -> _Answer:
    answer = _Answer()
    while not answer.complete:
        data = connection.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the connection was closed before the response was complete")
        answer.feed(data)
    return answer


def _reusable(idle: list[socket.socket]) -> socket.socket | None:
    """The most recently used idle connection that the server has not closed."""
    while idle:
        try:
            connection = idle.pop()
        except IndexError:  # another thread took it
            return None
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        if not poll.poll(0):  # readable between two calls: the server has closed it
            return connection
        connection.close()
    return None

"""An SQS client whose calls cost about half of boto3's usual time. It stays boto3's client; three costs are taken off:

- botocore's check of the parameters' types: what is sent here was checked by `hello_queue.sqs.messages`, or is ours;
- the user agent, which botocore composes anew for each call: here it is a fixed text;
- urllib3 and `http.client`: by botocore's before-send event, requests go over kept connections, and answers are read by
  httptools. Where there is a proxy or a client certificate, urllib3 stays.

Retries are left to the caller, who must know what was retried, and why.
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
    """A client for SQS, to be shared by threads."""
    sqs = client("sqs", config=_CONFIG)
    config: Any = sqs.meta.config
    if not (config.proxies or config.client_cert or get_environ_proxies(sqs.meta.endpoint_url)):
        events: Any = sqs.meta.events
        events.register("before-send.sqs", Connections(_authorities()).send)
    return sqs


def _authorities() -> str:
    """The file of the certificates to trust, as botocore would choose it."""
    configured = botocore.session.Session().get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    return str(get_cert_path(configured or True))  # type: ignore[arg-type]  # it takes a path too


class Connections:
    """Sends botocore's prepared requests over connections that are kept. Threads may share it.

    Args:
        authorities: a file of the certificates to trust.
    """

    def __init__(self, authorities: str) -> None:
        self._authorities = authorities
        self._context: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, str], list[socket.socket]] = {}

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Send the request, as botocore's HTTP session does.

        Raises:
            botocore.exceptions.HTTPClientError, ConnectionError: what botocore's raises, for the same reasons.
        """
        url = urlsplit(request.url)
        idle = self._idle.setdefault((url.scheme, url.netloc), [])
        connection = _reusable(idle) or self._connect(url)
        try:
            connection.sendall(_spelled(request, url))
            answer = _read_answer(connection)
        except TimeoutError as error:
            connection.close()
            raise aws.ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except (OSError, httptools.HttpParserError) as error:
            connection.close()
            raise aws.ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from error
        except BaseException:
            connection.close()  # an answer that nobody has read must not become the next request's
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
    """What httptools reads from an answer, and what AWSResponse takes the body from."""

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


def _spelled(request: AWSPreparedRequest, url: SplitResult) -> bytes:
    lines = [f"{request.method} {url.path or '/'} HTTP/1.1"]
    if "host" not in request.headers:  # it is where the CRT has signed
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
            raise ConnectionResetError("the connection was closed before the answer was complete")
        answer.feed(data)
    return answer


def _reusable(idle: list[socket.socket]) -> socket.socket | None:
    """The latest used of the idle connections that the server has not closed."""
    while idle:
        try:
            connection = idle.pop()
        except IndexError:  # another thread was quicker
            return None
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        if not poll.poll(0):  # between two calls a server says nothing, unless it closes the connection
            return connection
        connection.close()
    return None

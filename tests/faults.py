"""A proxy in front of the local AWS that forwards requests, or makes them fail as networks and servers do."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trustme

from hello_queue.local_aws.instance import Instance


@dataclass
class Fault:
    """What happens to a request.

    Attributes:
        status, code: the answer is this error. The server does not get the request.
        headers: further headers of that answer.
        lose_answer: the server acts, and the connection is closed without an answer.
        cut_answer: the server acts, and the connection is closed in the middle of the answer.
        stall: seconds to wait before the answer.
        edit: changes the server's answer.
        reply: the answer, for actions that the local AWS lacks. The server does not get the request.
    """

    status: int = 0
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    lose_answer: bool = False
    cut_answer: bool = False
    stall: float = 0
    edit: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    reply: dict[str, Any] | None = None


Plan = Callable[[str, dict[str, Any]], Fault | None]
"""Takes the action and the content of a request, and returns its fault, or None to forward it."""

THROTTLED = Fault(status=400, code="RequestThrottled")
BROKEN = Fault(status=500, code="InternalFailure")


@dataclass
class FaultyPath:
    """The proxy.

    Attributes:
        endpoint: the value for AWS_ENDPOINT_URL.
        authority: the value for AWS_CA_BUNDLE.
        plan: decides on each request. Tests set it.
        seen: the requests (action and content) in the order in which they arrived.
        in_progress: the number of requests that have not been answered yet, by action.
        down: while it is set, connections are closed at once.
        accepted: how many entries of batches the server has accepted, by action, whatever happened to its answer.
    """

    endpoint: str
    authority: Path
    plan: Plan = lambda action, content: None
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    down: threading.Event = field(default_factory=threading.Event)
    accepted: Counter[str] = field(default_factory=Counter)
    in_progress: Counter[str] = field(default_factory=Counter)

    def variables(self) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_CA_BUNDLE": str(self.authority)}

    def count(self, action: str) -> int:
        return sum(seen == action for seen, _ in self.seen)


@contextlib.contextmanager
def faulty_path(instance: Instance, directory: Path) -> Iterator[FaultyPath]:
    """Run the proxy. Its certificates go to this directory."""
    authority, certificate = directory / "proxy-authority.pem", directory / "proxy.pem"
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(authority)
    issuer.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Handler(_Handler):
        pass

    server = _Server(("127.0.0.1", 0), Handler)
    server.context = context
    path = FaultyPath(f"https://127.0.0.1:{server.server_port}", authority)
    Handler.path_ = path
    Handler.upstream = urlsplit(instance.variables["AWS_ENDPOINT_URL"]).netloc
    Handler.trust = ssl.create_default_context(cafile=instance.variables["AWS_CA_BUNDLE"])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        server.shutdown()
        server.server_close()


_COUNTING = threading.Lock()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake, too, runs in the connection's own thread.
        with contextlib.suppress(OSError), self.context.wrap_socket(request, server_side=True) as connection:
            super().finish_request(connection, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the tests kill clients


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    path_: FaultyPath
    upstream: str
    trust: ssl.SSLContext
    _connection: http.client.HTTPSConnection | None = None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        action, content = self._request(body)
        self.path_.seen.append((action, content))
        with self._in_progress(action):
            self._act(action, content, body)

    def _request(self, body: bytes) -> tuple[str, dict[str, Any]]:
        """The action and the parameters, of AWS's JSON protocol or its query protocol (IAM, STS, CloudFormation)."""
        if target := self.headers.get("X-Amz-Target"):
            return target.rpartition(".")[2], json.loads(body)
        parameters: dict[str, Any] = dict(parse_qsl(body.decode("latin-1")))
        return parameters.get("Action", ""), parameters

    @contextlib.contextmanager
    def _in_progress(self, action: str) -> Iterator[None]:
        with _COUNTING:
            self.path_.in_progress[action] += 1
        try:
            yield
        finally:
            with _COUNTING:
                self.path_.in_progress[action] -= 1

    def _act(self, action: str, content: dict[str, Any], body: bytes) -> None:
        if self.path_.down.is_set():
            self._end()
            return
        fault = self.path_.plan(action, content) or Fault()
        if fault.status:
            time.sleep(fault.stall)
            self._answer(fault.status, self._error(fault), headers=fault.headers)
            return
        if fault.reply is not None:
            self._answer(200, json.dumps(fault.reply).encode())
            return
        status, answer = self._forward(body)
        if action.endswith("Batch") and status == 200:
            with _COUNTING:
                self.path_.accepted[action] += len(json.loads(answer).get("Successful", []))
        time.sleep(fault.stall)
        if fault.edit is not None:
            answer = json.dumps(fault.edit(json.loads(answer))).encode()
        if fault.lose_answer or self.path_.down.is_set():
            self._end()
        elif fault.cut_answer:
            self._answer(status, answer, cut=True)
            self._end()
        else:
            self._answer(status, answer)

    def _error(self, fault: Fault) -> bytes:
        if "X-Amz-Target" in self.headers:
            return json.dumps({"__type": fault.code, "message": "a fault of the test"}).encode()
        message = f"<Code>{fault.code}</Code><Message>a fault of the test</Message>"
        return f"<ErrorResponse><Error>{message}</Error><RequestId>1</RequestId></ErrorResponse>".encode()

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(self.upstream, context=self.trust)
        # With the same headers, so that the signature stays valid.
        self._connection.request("POST", self.path, body, dict(self.headers))
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _answer(
        self, status: int, body: bytes, *, cut: bool = False, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def _end(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

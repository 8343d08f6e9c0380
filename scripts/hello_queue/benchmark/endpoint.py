"""An endpoint with canned, valid responses in SQS's JSON protocol, fast enough that the client is what is measured.

It counts messages sent, received and deleted, and records when the first and the last call came. `endpoint` starts it
as a process; GET /reset and GET /counts control it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import trustme
import uvloop

ACCOUNT = "111122223333"
_HANDLE = "AQEB" + "x" * 300
"""About as long as AWS's receipt handles."""
_ID = re.compile(rb'"Id":')
_WANTED = re.compile(rb'"MaxNumberOfMessages": ?(\d+)')
_NOTHING_SECONDS = 1.0
"""The duration of an empty receive, so that idle pollers do not take CPU time from deletes."""


class Canned:
    """The responses and the counts."""

    def __init__(self) -> None:
        self.reset(messages=0, size=100, delay=0.0, kombu=False)

    def reset(self, *, messages: int, size: int, delay: float, kombu: bool) -> None:
        self.delay = delay
        self.left = messages
        self.counts = {"sent": 0, "received": 0, "deleted": 0, "calls": 0}
        self.first = self.last = 0.0
        body = "x" * size
        checksum = hashlib.md5(body.encode()).hexdigest()  # noqa: S324 (SQS's protocol)
        sent = {"MessageId": "cb1d2f0e-5a3c-4c7e-9d43-0f7c5a1e2b6d", "MD5OfMessageBody": checksum}
        if kombu:
            body = _in_kombus_format(body)
            checksum = hashlib.md5(body.encode()).hexdigest()  # noqa: S324 (SQS's protocol)
        received = {"MessageId": sent["MessageId"], "MD5OfBody": checksum, "Body": body, "ReceiptHandle": _HANDLE}
        numbers = range(11)
        self.sent_one = _answer(sent)
        self.sent = [_answer({"Successful": [{"Id": str(i), **sent} for i in range(n)]}) for n in numbers]
        self.received = [_answer({"Messages": [received] * n} if n else {}) for n in numbers]
        self.deleted = [_answer({"Successful": [{"Id": str(i)} for i in range(n)]}) for n in numbers]
        self.nothing = _answer({})
        self.attributes = _answer({"Attributes": {"VisibilityTimeout": "30", "ApproximateNumberOfMessages": "0"}})

    def reply(self, action: bytes, body: bytes) -> tuple[bytes, float]:
        """The response to a call, and its delay in seconds."""
        self.last = time.time()
        self.first = self.first or self.last
        self.counts["calls"] += 1
        if action == b"SendMessageBatch":
            number = len(_ID.findall(body))
            self.counts["sent"] += number
            return self.sent[number], self.delay
        if action == b"ReceiveMessage":
            wanted = _WANTED.search(body)
            number = min(int(wanted.group(1)) if wanted else 1, self.left)
            self.left -= number
            self.counts["received"] += number
            return self.received[number], self.delay if number else _NOTHING_SECONDS
        if action == b"DeleteMessageBatch":
            number = len(_ID.findall(body))
            self.counts["deleted"] += number
            return self.deleted[number], self.delay
        if action == b"SendMessage":
            self.counts["sent"] += 1
            return self.sent_one, self.delay
        if action == b"DeleteMessage":
            self.counts["deleted"] += 1
            return self.nothing, self.delay
        return self.attributes, self.delay

    def control(self, target: str) -> bytes:
        url = urlsplit(target)
        if url.path == "/reset":
            parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
            self.reset(
                messages=int(parameters["messages"]),
                size=int(parameters["size"]),
                delay=float(parameters["delay"]),
                kombu=parameters["kombu"] == "True",
            )
        return _answer({**self.counts, "first": self.first, "last": self.last})


class _Protocol(asyncio.Protocol):
    def __init__(self, canned: Canned) -> None:
        self._canned = canned
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end]
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            total = end + 4 + (int(length.group(1)) if length else 0)
            if len(self._data) < total:
                return
            body, self._data = self._data[end + 4 : total], self._data[total:]
            action = re.search(rb"(?i)\r\nx-amz-target: *AmazonSQS\.(\w+)", head)
            if action is None:
                self._transport.write(self._canned.control(head.split(b" ", 2)[1].decode()))
                continue
            answer, delay = self._canned.reply(action.group(1), body)
            if delay:
                asyncio.get_running_loop().call_later(delay, self._write, answer)
            else:
                self._transport.write(answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def _in_kombus_format(text: str) -> str:
    message = {
        "body": base64.b64encode(text.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "text/plain",
        "headers": {},
        "properties": {
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "test"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "cb1d2f0e-5a3c-4c7e-9d43-0f7c5a1e2b6d",
        },
    }
    return base64.b64encode(json.dumps(message).encode()).decode()


def _answer(content: Any) -> bytes:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass(frozen=True)
class Endpoint:
    """A running endpoint.

    Attributes:
        url: where it answers.
        control: where it is controlled.
        authority: a file with the certificate to trust.
    """

    url: str
    control: str
    authority: Path

    @property
    def queue_url(self) -> str:
        return f"{self.url}/{ACCOUNT}/test"

    def reset(self, *, messages: int, size: int, delay: float, kombu: bool = False) -> None:
        """Reset the counts, have this many messages of ``size`` bytes to receive, and delay responses by seconds.

        Args:
            kombu: the messages are in kombu's format.
        """
        self._get(f"reset?messages={messages}&size={size}&delay={delay}&kombu={kombu}")

    def counts(self) -> dict[str, Any]:
        return self._get("counts")

    def _get(self, what: str) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.control}/{what}") as answer:
            counts: dict[str, Any] = json.load(answer)
        return counts


@contextlib.contextmanager
def endpoint() -> Iterator[tuple[Endpoint, Endpoint]]:
    """Run an endpoint as a process, on free ports of 127.0.0.1: for http, and for https."""
    with tempfile.TemporaryDirectory() as directory:
        authority, certificate = Path(directory, "authority.pem"), Path(directory, "certificate.pem")
        issuer = trustme.CA()
        issuer.cert_pem.write_to_path(str(authority))
        issuer.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        command = [sys.executable, "-m", "hello_queue.benchmark.endpoint", str(certificate)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                plain, tls = process.stdout.readline().split()
                control = f"http://127.0.0.1:{plain}"
                yield Endpoint(control, control, authority), Endpoint(f"https://127.0.0.1:{tls}", control, authority)
            finally:
                process.kill()


async def _serve(certificate: str) -> None:
    canned = Canned()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda: _Protocol(canned), "127.0.0.1", 0, ssl=each, backlog=1024)
        for each in (None, context)
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)  # at its end: the benchmark has ended, perhaps killed
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))

"""How fast the endpoint can be: python -m hello_queue.benchmark.ceiling send|process URL COUNT SIZE.

It repeats one request on each of 256 connections and reads nothing but the end of each response: no client can be
faster.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from typing import cast
from urllib.parse import urlsplit

import orjson
import uvloop

CONNECTIONS = 256


class _Repeater(asyncio.Protocol):
    """Sends the next request when the response to the last one is complete."""

    def __init__(self, requests: list[bytes], left: list[int], over: asyncio.Event) -> None:
        self._requests = requests
        self._left = left
        self._over = over
        self._turn = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"}"):
            self._next()

    def _next(self) -> None:
        if self._left[0] <= 0:
            self._over.set()
            return
        request = self._requests[self._turn]
        self._turn = (self._turn + 1) % len(self._requests)
        if self._turn == 0:
            self._left[0] -= 10
        self._transport.write(request)


def _request(action: str, content: object) -> bytes:
    body = orjson.dumps(content)
    head = f"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.{action}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def main(how: str, url: str, count: int, size: int) -> None:
    if how == "send":
        entries = [{"Id": str(number), "MessageBody": "x" * size} for number in range(10)]
        requests = [_request("SendMessageBatch", {"QueueUrl": url, "Entries": entries})]
    else:
        handles = [{"Id": str(number), "ReceiptHandle": "x" * 304} for number in range(10)]
        requests = [
            _request("ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": 10}),
            _request("DeleteMessageBatch", {"QueueUrl": url, "Entries": handles}),
        ]
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    context = None
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
    left, over = [count], asyncio.Event()
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: _Repeater(requests, left, over), parts.hostname, parts.port, ssl=context)
    await over.wait()
    await asyncio.sleep(0.5)  # the last responses


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))

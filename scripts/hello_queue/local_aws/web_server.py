"""Serve an ASGI application over HTTPS and plain HTTP on one port: as on AWS, only the scheme of an endpoint differs.

Hypercorn takes one or the other per socket, so connections are accepted here: the first byte that a client sends
decides which protocol Hypercorn's connection handler speaks with it.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.utils import wrap_app

TLS_HANDSHAKE = b"\x16"
"""The first byte of a TLS connection, the content type "handshake": https://www.rfc-editor.org/rfc/rfc8446#section-5.1
No HTTP method begins with it."""
RETRY_SECONDS = 0.5


async def serve(app: Any, config: Config, listener: socket.socket) -> None:
    """Serve until cancelled.

    Args:
        config: its certificate is used for HTTPS; its addresses are ignored.
        listener: a listening socket.
    """
    loop = asyncio.get_running_loop()
    application = wrap_app(app, config.wsgi_max_body_size, None)
    lifespan = Lifespan(application, config, loop, {})
    tasks = {loop.create_task(lifespan.handle_lifespan())}
    await lifespan.wait_for_startup()
    tls = config.create_ssl_context()
    context = WorkerContext(None)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await TCPServer(application, loop, config, context, {}, reader, writer)

    async def start(connection: socket.socket) -> None:
        try:
            is_tls = await _first_byte(connection) == TLS_HANDSHAKE
            await loop.connect_accepted_socket(
                lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader(), handle),
                connection,
                ssl=tls if is_tls else None,
            )
        except OSError:  # the client went away, or does not trust the certificate
            connection.close()

    listener.setblocking(False)
    while True:
        try:
            connection, _ = await loop.sock_accept(listener)
        except OSError:  # no file descriptor is free
            await asyncio.sleep(RETRY_SECONDS)
            continue
        task = loop.create_task(start(connection))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _first_byte(connection: socket.socket) -> bytes:
    """Wait for a client's first byte, and leave it unread."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await readable.wait()
        return connection.recv(1, socket.MSG_PEEK)
    finally:
        loop.remove_reader(connection)

"""The two ways to call SQS, with one interface: our own wire, and boto3 in threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from botocore import exceptions as aws
from botocore import xform_name
from botocore.config import Config

from hello_queue.aws.clients import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, client
from hello_queue.errors import UsageError
from hello_queue.sqs.endpoint import Credentials, endpoint_of
from hello_queue.sqs.wire import Wire

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

CHOICE = "HELLO_QUEUE_TRANSPORT"
"""The environment variable that forces one: ``boto3`` or ``wire``."""


class Transport(Protocol):
    """Calls SQS. `Wire.call` documents the methods."""

    async def call(self, action: str, parameters: Mapping[str, Any], timeout: float = READ_TIMEOUT_SECONDS) -> Any: ...

    async def close(self) -> None: ...


class Boto3Transport:
    """boto3's client, each call in a thread. Its own retries are off: the callers know what can be repeated.

    A call that takes longer than its timeout fails, and keeps its thread until the client gives up, too.

    Args:
        concurrency: the most calls at once.
    """

    def __init__(self, sqs: SQSClient, concurrency: int) -> None:
        self._sqs = sqs
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="boto3")

    async def call(self, action: str, parameters: Mapping[str, Any], timeout: float = READ_TIMEOUT_SECONDS) -> Any:
        method = getattr(self._sqs, xform_name(action))
        called = asyncio.get_running_loop().run_in_executor(self._threads, lambda: method(**parameters))
        try:
            answer = await asyncio.wait_for(called, timeout)
        except (asyncio.TimeoutError, TimeoutError):
            raise aws.ReadTimeoutError(endpoint_url=self._sqs.meta.endpoint_url) from None
        answer.pop("ResponseMetadata", None)
        return answer

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def open_transport(
    queue_url: str, concurrency: int, timeout: float = READ_TIMEOUT_SECONDS, sqs: SQSClient | None = None
) -> Transport:
    """The fastest transport that can do what the user has configured. Call it in a running event loop.

    Args:
        concurrency: the most calls at once.
        timeout: seconds after which boto3 gives up a call.
        sqs: a client that exists already, of which the wire takes endpoint and credentials: to make another one takes a
            tenth of a script's start.

    Raises:
        UsageError: the environment variable names neither.
        botocore.exceptions.BotoCoreError: no region, no credentials, and so on.
    """
    choice = os.environ.get(CHOICE, "")
    if choice not in ("", "boto3", "wire"):
        raise UsageError(f"{CHOICE}={choice!r} is neither boto3 nor wire: unset it, or set it to one of them")
    if choice != "boto3":
        sqs = sqs or client("sqs")
        endpoint = endpoint_of(sqs, queue_url)
        if endpoint is not None:
            source: Any = sqs
            return Wire(sqs, endpoint, Credentials(source._get_credentials()))
    once = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=concurrency,
        connect_timeout=min(CONNECT_TIMEOUT_SECONDS, timeout),
        read_timeout=timeout,
    )
    return Boto3Transport(client("sqs", config=once), concurrency)

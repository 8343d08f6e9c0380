"""Calls that are authorized but not carried out: EC2's DryRun, for every service.

AWS has it for EC2 only (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html). Here, the
signature and the rights of a request with this header are checked as of any other, then it ends with this status. So
the real call answers whether a key may delete the queue, and the queue stays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from hello_queue.local_aws.pinned_internals import internal

HEADER = "x-hello-queue-dry-run"
STATUS = 412
"""As EC2's DryRunOperation."""

_BODY = b"<ErrorResponse><Error><Code>DryRunOperation</Code></Error></ErrorResponse>"
"""For the services that speak XML. Clients of the others read the header."""

Handler = Callable[..., Awaitable[Any]]


def install() -> None:
    from ministack import app  # only in the server: clients import this module for the header

    handlers = internal(app, "SERVICE_HANDLERS")
    for service, handler in list(handlers.items()):
        handlers[service] = _with_dry_run(handler)


def _with_dry_run(handler: Handler) -> Handler:
    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        if HEADER in headers:
            return STATUS, {"x-amzn-errortype": "DryRunOperation"}, _BODY
        return await handler(method, path, headers, body, query)

    return handle

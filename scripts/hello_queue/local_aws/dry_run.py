"""Calls that are authorized but not carried out: EC2's DryRun, for every service.

AWS has it for EC2 only (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html). Here, the
signature and the rights of a request with this header are checked as of any other, then it ends with this status. So
the real call answers whether a key may delete the queue, and the queue stays.

A second header states condition keys that a client cannot choose, such as aws:SourceIp, as the context entries of IAM's
policy simulator do.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

from hello_queue.local_aws.pinned_internals import internal

HEADER = "x-hello-queue-dry-run"
CONTEXT = "x-hello-queue-context"
"""JSON: the values of condition keys, in lower case; null for a key that the request shall not have."""

STATUS = 412
"""As EC2's DryRunOperation."""

_BODY = b"<ErrorResponse><Error><Code>DryRunOperation</Code></Error></ErrorResponse>"
"""For the services that speak XML. Clients of the others read the header."""

Handler = Callable[..., Awaitable[Any]]

_stated: ContextVar[Mapping[str, Any]] = ContextVar("stated")


def install() -> None:
    from ministack import app  # only in the server: clients import this module for the headers
    from ministack.core import iam_evaluator

    app.pin_signed_request = _keeping_stated_keys(internal(app, "pin_signed_request"))
    resolve = _with_stated_keys(internal(iam_evaluator, "_resolve_condition_key"))
    iam_evaluator._resolve_condition_key = resolve
    handlers = internal(app, "SERVICE_HANDLERS")
    for service, handler in list(handlers.items()):
        handlers[service] = _with_dry_run(handler)


def _with_dry_run(handler: Handler) -> Handler:
    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        if HEADER in headers:
            return STATUS, {"x-amzn-errortype": "DryRunOperation"}, _BODY
        return await handler(method, path, headers, body, query)

    return handle


def _keeping_stated_keys(pin: Callable[..., None]) -> Callable[..., None]:
    def pin_signed_request(*args: Any, **kwargs: Any) -> None:
        headers = dict(args[3])
        _stated.set(json.loads(headers.get(CONTEXT.encode(), b"{}")))
        pin(*args, **kwargs)

    return pin_signed_request


def _with_stated_keys(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def resolve_condition_key(key: str, context: Any) -> Any:
        stated = _stated.get({})
        return stated[key.lower()] if key.lower() in stated else resolve(key, context)

    return resolve_condition_key

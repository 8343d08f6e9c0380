"""Where ministack's authorization differs from AWS's."""

from __future__ import annotations

from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.router import extract_access_key_id

from hello_queue.local_aws.pinned_internals import internal


def install() -> None:
    _authorize_batches_by_the_single_action()
    _verify_root_signatures()


def _authorize_batches_by_the_single_action() -> None:
    """ministack asks IAM for sqs:SendMessageBatch, an action that does not exist. AWS asks for sqs:SendMessage:
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
    """
    extract = internal(iam_actions, "extract_iam_action")

    def extract_iam_action(*args: Any, **kwargs: Any) -> str | None:
        action: str | None = extract(*args, **kwargs)
        if action is not None and action.startswith("sqs:"):
            return action.removesuffix("Batch")
        return action

    iam_actions.extract_iam_action = extract_iam_action


def _verify_root_signatures() -> None:
    """ministack accepts a request with a root key without verifying its signature. Verify it, so that a wrong secret is
    refused for every key."""
    pin = internal(app, "pin_signed_request")
    pinned = internal(iam_evaluator, "_signed_request")
    signed_request = internal(iam_evaluator, "SignedRequest")

    def pin_signed_request(
        method: str, raw_path: str, query: dict[str, Any], raw_headers: list[tuple[bytes, bytes]], **kwargs: Any
    ) -> None:
        pin(method, raw_path, query, raw_headers, **kwargs)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw_headers}
        if pinned.get() is None and headers.get("authorization", "").startswith("AWS4-HMAC-SHA256"):
            pinned.set(signed_request(extract_access_key_id(headers), method, raw_path, query, headers))

    app.pin_signed_request = pin_signed_request

"""What to report when an operator's right is missing."""

from __future__ import annotations

from botocore.exceptions import ClientError


def lacking(error: ClientError, url: str) -> str:
    """The denied call, and the policy that allows it.

    Args:
        url: the queue's.
    """
    policy = f"{url.rpartition('/')[2].removesuffix('.fifo')}-operator"
    return f"{error.operation_name}: {error.response['Error']['Message']}. The policy {policy} allows it"

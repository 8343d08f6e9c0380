"""What to report when an operator's rights are missing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from botocore.exceptions import ClientError


def explain_denied(errors: Sequence[ClientError], url: str) -> str:
    """Who is denied which calls, and the policy that allows them.

    Args:
        errors: one or more, of the same caller.
        url: the queue's.
    """
    calls = ", ".join(dict.fromkeys(error.operation_name for error in errors))
    messages = [error.response["Error"]["Message"] for error in errors]
    for message in messages:
        if "explicit deny" in message:  # against which no policy helps
            return f"{calls}: {message}"
    who = re.match(r"User: (\S+) is not authorized", messages[0])
    policy = f"{url.rpartition('/')[2].removesuffix('.fifo')}-operator"
    return f"{who[1] if who else 'you'} may not call {calls}. The policy {policy} allows it"

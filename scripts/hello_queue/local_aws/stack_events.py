"""CloudFormation's events in their order: ministack gives several the same time, and the CDK CLI sorts them by time."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable

from ministack.services.cloudformation import stacks

from hello_queue.local_aws.pinned_internals import internal

_EPOCH = datetime.datetime(1970, 1, 1)


def install() -> None:
    internal(stacks, "now_iso")
    stacks.now_iso = increasing(lambda: time.time_ns() // 1_000_000)


def increasing(now: Callable[[], int]) -> Callable[[], str]:
    """The time as CloudFormation writes it, later than at the call before.

    Args:
        now: milliseconds since 1970.
    """
    last = 0

    def next_time() -> str:
        nonlocal last
        last = max(now(), last + 1)
        return f"{(_EPOCH + datetime.timedelta(milliseconds=last)).isoformat(timespec='milliseconds')}Z"

    return next_time

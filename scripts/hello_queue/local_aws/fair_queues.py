"""Fair queues: a standard queue in which messages have a group returns those of quiet groups first.

This is a model of what AWS documents, not of what AWS does: of its two measures it has the share of messages in flight,
and not the share of processing time; and its thresholds are exact, while AWS's are approximate.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.services import sqs

from hello_queue.local_aws.pinned_internals import internal

NOISY_SHARE = 0.1
NOISY_MESSAGES = 30
"""A group is noisy when more than this share of the messages in flight, and at least this number, are its own."""
QUIET_SECONDS = 300
"""It is quiet again when nothing was sent to it for so long, or when none of its messages waits."""

Messages = Sequence[Mapping[str, Any]]


class FairQueue:
    """Which groups of a queue are noisy."""

    def __init__(self) -> None:
        self._noisy: set[str] = set()

    def ordered(self, messages: Messages, now: float) -> Messages:
        """The messages of a queue in the order in which they are returned: those of quiet groups first, then those of
        the noisy group that has the fewest in flight."""
        in_flight = Counter(each["group_id"] for each in messages if each["receive_count"] and each["visible_at"] > now)
        total = sum(in_flight.values())
        waiting = {each["group_id"] for each in messages if each["visible_at"] <= now}
        recent = {each["group_id"] for each in messages if each["sent_at"] > now - QUIET_SECONDS}
        loud = {
            group
            for group, number in in_flight.items()
            if group and number >= NOISY_MESSAGES and number > total * NOISY_SHARE
        }
        self._noisy = (self._noisy | loud) & waiting & recent
        if not self._noisy:
            return messages
        return sorted(
            messages, key=lambda each: in_flight[each["group_id"]] + 1 if each["group_id"] in self._noisy else 0
        )


def install() -> None:
    collect, ensure = internal(sqs, "_collect_msgs"), internal(sqs, "_ensure_msg_fields")
    queues: dict[str, FairQueue] = {}

    def collect_fairly(queue: dict[str, Any], most: int, visibility_timeout: int) -> Any:
        messages = queue["messages"]
        if not queue["is_fifo"] and any(each.get("group_id") for each in messages):
            for each in messages:
                ensure(each)
            fair = queues.setdefault(queue["url"], FairQueue())
            queue = {**queue, "messages": fair.ordered(messages, time.time())}
        return collect(queue, most, visibility_timeout)

    sqs._collect_msgs = collect_fairly

"""The local AWS's model of fair queues: a quiet tenant waits for a noisy one only if their messages have no groups."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hello_queue.local_aws.fair_queues import QUIET_SECONDS, FairQueue
from tests.conftest import Aws
from tests.tenants import IN_FLIGHT, NOISY, QUIET, before_the_last, processed


@pytest.mark.parametrize("grouped", [True, False])
def test_how_long_a_quiet_tenant_waits(aws: Aws, queue: str, grouped: bool) -> None:
    """A tenant sends 300 messages, then another one 10: how many are processed before the last of these?"""
    order = processed(aws, queue, grouped=grouped)
    assert sorted(order) == ["noisy"] * NOISY + ["quiet"] * QUIET, "nothing is lost or returned twice"
    waited = before_the_last(order)
    if grouped:
        assert waited <= IN_FLIGHT
    else:
        assert waited == NOISY + QUIET - 1


def message(group: str | None, *, in_flight: bool = False, age: float = 0) -> dict[str, Any]:
    now = time.time()
    return {
        "group_id": group,
        "receive_count": int(in_flight),
        "visible_at": now + 60 if in_flight else now - 1,
        "sent_at": now - age,
    }


def order(*messages: dict[str, Any], queue: FairQueue | None = None) -> list[str | None]:
    """The groups of the messages that are returned."""
    now = time.time()
    return [each["group_id"] for each in (queue or FairQueue()).ordered(messages, now) if each["visible_at"] <= now]


def flying(group: str | None, number: int) -> list[dict[str, Any]]:
    return [message(group, in_flight=True) for _ in range(number)]


def test_a_group_is_noisy_from_thirty_messages_and_a_tenth_in_flight() -> None:
    waiting = message("a"), message("b")
    assert order(*flying("a", 29), *waiting) == ["a", "b"]
    assert order(*flying("a", 30), *waiting) == ["b", "a"]
    assert order(*flying("a", 30), *flying(None, 270), *waiting) == ["a", "b"]
    assert order(*flying("a", 31), *flying(None, 270), *waiting) == ["b", "a"]


def test_messages_without_a_group_are_quiet() -> None:
    assert order(*flying(None, 100), message("b"), message(None)) == ["b", None]


def test_of_two_noisy_groups_that_with_fewer_in_flight_is_first() -> None:
    assert order(*flying("a", 40), *flying("b", 35), message("a"), message("b"), message("c")) == ["c", "b", "a"]


def test_when_a_noisy_group_is_quiet_again() -> None:
    queue = FairQueue()
    assert order(*flying("a", 30), message("a"), message("b"), queue=queue) == ["b", "a"]
    assert order(message("a"), message("b"), queue=queue) == ["b", "a"], "it stays noisy while messages wait"
    assert order(message("b"), queue=queue) == ["b"]
    assert order(message("a"), message("b"), queue=queue) == ["a", "b"], "none of its messages waited"
    order(*flying("a", 30), message("a"), message("b"), queue=queue)
    old = message("a", age=QUIET_SECONDS + 1)
    assert order(old, message("b"), queue=queue) == ["a", "b"], "nothing was sent for five minutes"

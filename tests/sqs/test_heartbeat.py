"""The heartbeat, in virtual time: it keeps leases although many of its calls get no answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from hello_queue.sqs.handlers import Message
from hello_queue.sqs.heartbeat import Heartbeat, timeout_of
from hello_queue.sqs.leases import Counts, Lease, Leases
from hello_queue.sqs.retries import RetryPolicy
from tests.simulation.virtual_loop import VirtualLoop

URL = "https://sqs.us-east-1.amazonaws.com/111122223333/test"
CONSUMED = 200
"""Messages that are handled at once."""


class Unreliable:
    """A transport whose calls get no answer, by chance.

    Attributes:
        entries: how many leases it was to extend, in all calls together.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._chance = random.Random(1)  # noqa: S311 (chooses faults)
        self.entries = 0

    async def call(self, action: str, parameters: Mapping[str, Any], timeout: float = 30) -> Any:
        self.entries += len(parameters["Entries"])
        if self._chance.random() < self._share:
            await asyncio.sleep(timeout)
            raise ReadTimeoutError(endpoint_url=URL)
        await asyncio.sleep(0.02)
        return {"Successful": [{"Id": each["Id"]} for each in parameters["Entries"]]}

    async def close(self) -> None:
        """There is nothing to close."""


async def lost(transport: Unreliable, visibility_timeout: int) -> int:
    """How many of the leases expire while their messages are handled for ten times the visibility timeout."""
    loop = asyncio.get_running_loop()
    now = loop.time()
    chance = random.Random(2)  # noqa: S311 (spreads the leases)
    leases = [
        Lease(Message(str(number), ""), str(number), now + visibility_timeout * chance.uniform(0.6, 1), now)
        for number in range(CONSUMED)
    ]
    heartbeat = Heartbeat(
        Leases(
            transport,
            transport,
            URL,
            visibility_timeout=visibility_timeout,
            heartbeat_timeout=timeout_of(visibility_timeout),
            retry_policy=RetryPolicy(60, lambda notice: None),
            report=lambda notice: None,
            counts=Counts(),
        ),
        leases,
        visibility_timeout=visibility_timeout,
        max_handling_seconds=43_200,
        all_busy=lambda: False,
        report=lambda notice: None,
    )
    running = asyncio.ensure_future(heartbeat.run())
    await asyncio.sleep(10 * visibility_timeout)
    expired = sum(not lease.is_held(loop.time()) for lease in leases)
    running.cancel()
    await asyncio.sleep(timeout_of(visibility_timeout) + 1)
    return expired


def after_a_while(transport: Unreliable, visibility_timeout: int) -> int:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(lost(transport, visibility_timeout))
    finally:
        loop.close()


@pytest.mark.parametrize("visibility_timeout", [4, 10, 30, 120])
def test_half_of_the_calls_without_an_answer_cost_no_lease(visibility_timeout: int) -> None:
    assert after_a_while(Unreliable(0.5), visibility_timeout) == 0


def test_calls_without_an_answer_do_not_pile_up() -> None:
    transport = Unreliable(1)
    assert after_a_while(transport, 30) == CONSUMED
    assert 12 * CONSUMED < transport.entries <= 15 * CONSUMED


def test_an_outage_is_reported_at_intervals() -> None:
    """With what came together meanwhile, and not once for each call."""
    notices: list[str] = []

    async def extend() -> None:
        dead = Unreliable(1)
        options: Any = {"visibility_timeout": 30, "heartbeat_timeout": 0.5, "retry_policy": RetryPolicy(60, print)}
        leases = Leases(dead, dead, URL, **options, report=notices.append, counts=Counts())
        for number in range(50):  # half a second each
            await leases.extend([Lease(Message(str(number), ""), "handle", 0)])

    loop = VirtualLoop()
    loop.run_until_complete(extend())
    loop.close()
    assert [text.partition(" could")[0].rpartition(" of ")[2] for text in notices] == [
        "1 message",
        "21 messages",
        "21 messages",
    ]

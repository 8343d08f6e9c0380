"""Which errors are retried, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botocore import exceptions as aws

from hello_queue.sqs.batches import Entry
from hello_queue.sqs.producer import Outcome, Producer
from hello_queue.sqs.retries import RetryPolicy
from tests.simulation.virtual_loop import VirtualLoop


@pytest.mark.parametrize(
    "error",
    [
        aws.SSLError(endpoint_url="https://sqs", error=ValueError("certificate verify failed")),
        aws.ProxyConnectionError(proxy_url="http://proxy"),
    ],
)
def test_a_wrong_certificate_or_proxy_stays_wrong(error: Exception) -> None:
    calls = 0
    outcome = Outcome()

    class Broken:
        async def call(self, *_: Any) -> Any:
            nonlocal calls
            calls += 1
            raise error

        async def close(self) -> None:
            """There is nothing to close."""

    async def send() -> None:
        producer = Producer(Broken(), "https://sqs/1/main", RetryPolicy(30, lambda _: None))
        await producer.deliver([Entry(1, b"", {"MessageBody": "hello"}, 5)], outcome)

    loop = VirtualLoop()
    loop.run_until_complete(send())
    loop.close()
    assert calls == 1
    assert outcome.error is error


def test_a_call_that_fails_long_after_another_is_retried() -> None:
    """The other one was not retried to its end: the visibility timeouts of its messages had expired."""
    waited: list[float] = []

    async def wait() -> None:
        loop = asyncio.get_running_loop()
        retries = RetryPolicy(5, lambda _: None, jitter=lambda: 1.0)
        error = aws.EndpointConnectionError(endpoint_url="https://sqs")
        await retries.wait(1, error)
        await asyncio.sleep(60)
        began = loop.time()
        await retries.wait(1, error)
        waited.append(loop.time() - began)
        with pytest.raises(aws.EndpointConnectionError):
            await retries.wait(2, error)

    loop = VirtualLoop()
    loop.run_until_complete(wait())
    loop.close()
    assert waited == [pytest.approx(0.2, abs=0.01)]


def test_nothing_is_retried_with_a_timeout_of_0() -> None:
    async def wait() -> None:
        with pytest.raises(aws.EndpointConnectionError):
            await RetryPolicy(0, lambda _: None).wait(1, aws.EndpointConnectionError(endpoint_url="https://sqs"))

    loop = VirtualLoop()
    loop.run_until_complete(wait())
    loop.close()


@pytest.mark.parametrize(("seconds", "reported"), [(9, []), (12, ["calls succeed again: they failed for 12 s"])])
def test_the_end_of_a_long_outage_is_reported(seconds: int, reported: list[str]) -> None:
    lines: list[str] = []

    async def fail() -> None:
        retries = RetryPolicy(60, lines.append, jitter=lambda: 0.0)
        error = aws.EndpointConnectionError(endpoint_url="https://sqs")
        await retries.wait(1, error)
        await asyncio.sleep(seconds)
        await retries.wait(2, error)
        await asyncio.sleep(100)  # how long nothing was tried is no outage
        retries.succeeded()
        retries.succeeded()

    loop = VirtualLoop()
    loop.run_until_complete(fail())
    loop.close()
    assert [line for line in lines if "again:" in line] == reported

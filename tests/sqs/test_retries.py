"""Which errors are retried, in virtual time."""

from __future__ import annotations

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

"""One contract for both transports: what boto3's client does, the wire does too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as aws_errors

from hello_queue.aws.clients import client
from hello_queue.aws.errors import error_code
from hello_queue.errors import UsageError
from hello_queue.sqs.endpoint import Credentials, endpoint_of
from hello_queue.sqs.signing import SigningKey
from hello_queue.sqs.transports import CHOICE, Boto3Transport, Transport, open_transport
from hello_queue.sqs.wire import Wire
from tests.conftest import Aws
from tests.faults import BROKEN, THROTTLED, Fault, FaultyPath
from tests.local_aws.environments import inside

Use = Callable[[Transport], Awaitable[Any]]


@pytest.fixture(params=["wire", "boto3"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(CHOICE, request.param)
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def environment(aws: Aws, path: FaultyPath, monkeypatch: pytest.MonkeyPatch) -> None:
    inside(aws, monkeypatch, **path.variables())


def use(url: str, work: Use) -> Any:
    """Do some work with the chosen transport."""

    async def main() -> Any:
        transport = open_transport(url, 4)
        try:
            return await work(transport)
        finally:
            await transport.close()

    return asyncio.run(main())


def call(url: str, action: str, **parameters: Any) -> Any:
    return use(url, lambda transport: transport.call(action, {"QueueUrl": url, **parameters}))


def test_the_choice_is_made(queue: str, transport: str) -> None:
    async def chosen(opened: Transport) -> type:
        return type(opened)

    assert use(queue, chosen) is (Wire if transport == "wire" else Boto3Transport)


def test_the_wire_needs_no_second_client(queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making one takes a tenth of the time that send.py needs for its first message."""
    monkeypatch.setenv(CHOICE, "wire")
    sqs = client("sqs")
    monkeypatch.setattr("hello_queue.sqs.transports.client", pytest.fail)

    async def main() -> Any:
        wire = open_transport(queue, 1, sqs=sqs)
        try:
            return await wire.call("ReceiveMessage", {"QueueUrl": queue})
        finally:
            await wire.close()

    assert asyncio.run(main()) == {}


def test_another_choice_is_refused(queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHOICE, "http")
    with pytest.raises(UsageError, match="'http'"):
        call(queue, "GetQueueAttributes")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_only_boto3_goes_through_a_proxy(queue: str, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert endpoint_of(client("sqs"), queue) is None


def test_what_is_sent_is_received(queue: str, transport: str) -> None:
    body = 'quotes " \\ and é 漢 \U0001f600\n'
    attributes = {
        "Author": {"DataType": "String", "StringValue": "Ada"},
        "Number": {"DataType": "Number", "StringValue": "1.5"},
        "Binary": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    entries = [{"Id": "1", "MessageBody": body, "MessageAttributes": attributes}]
    sent = call(queue, "SendMessageBatch", Entries=entries)
    assert "ResponseMetadata" not in sent
    (received,) = call(queue, "ReceiveMessage", MessageAttributeNames=["All"])["Messages"]
    assert received["Body"] == body
    assert received["MessageAttributes"] == attributes
    assert call(queue, "DeleteMessage", ReceiptHandle=received["ReceiptHandle"]) == {}
    assert call(queue, "ReceiveMessage").get("Messages", []) == []


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("SendMessage", {"QueueUrl": "https://127.0.0.1/111122223333/no-such-queue", "MessageBody": "x"}),
        ("ReceiveMessage", {"MaxNumberOfMessages": 11}),
        ("SendMessageBatch", {"Entries": [{"Id": "a", "MessageBody": "x"}] * 2}),
        ("SendMessageBatch", {"Entries": []}),
        ("ChangeMessageVisibility", {"ReceiptHandle": "stale", "VisibilityTimeout": 1}),
    ],
)
def test_an_error_is_that_of_boto3(queue: str, transport: str, action: str, parameters: dict[str, Any]) -> None:
    plain = client("sqs")
    with pytest.raises(aws_errors.ClientError) as expected:
        plain._make_api_call(action, {"QueueUrl": queue, **parameters})  # type: ignore[attr-defined]  # any action
    with pytest.raises(aws_errors.ClientError) as found:
        call(queue, action, **parameters)
    assert type(found.value).__name__ == type(expected.value).__name__
    assert found.value.response["Error"] == expected.value.response["Error"]
    assert found.value.operation_name == expected.value.operation_name
    assert error_code(found.value) == error_code(expected.value)
    metadata, expected_metadata = (each.value.response["ResponseMetadata"] for each in (found, expected))
    assert metadata["HTTPStatusCode"] == expected_metadata["HTTPStatusCode"]


@pytest.mark.parametrize(("fault", "code"), [(THROTTLED, "RequestThrottled"), (BROKEN, "InternalFailure")])
def test_an_error_is_not_retried(queue: str, path: FaultyPath, transport: str, fault: Fault, code: str) -> None:
    path.plan = lambda action, _: fault
    with pytest.raises(aws_errors.ClientError) as found:
        call(queue, "ReceiveMessage")
    assert error_code(found.value) == code
    assert path.count("ReceiveMessage") == 1


@pytest.mark.parametrize("fault", [Fault(lose_answer=True), Fault(cut_answer=True)])
def test_a_lost_response(queue: str, path: FaultyPath, transport: str, fault: Fault) -> None:
    path.plan = lambda action, _: fault
    with pytest.raises((aws_errors.ConnectionClosedError, aws_errors.HTTPClientError)):
        call(queue, "ReceiveMessage")


def test_a_response_that_does_not_come_in_time(queue: str, path: FaultyPath, transport: str) -> None:
    path.plan = lambda action, _: Fault(stall=5)
    began = time.monotonic()
    with pytest.raises(aws_errors.ReadTimeoutError):
        use(queue, lambda wire: wire.call("ReceiveMessage", {"QueueUrl": queue}, timeout=0.3))
    assert time.monotonic() - began < 4


def test_connecting_takes_no_longer_than_the_call_may(queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's transport connects in a thread, with a timeout of its own."""
    monkeypatch.setenv(CHOICE, "wire")

    async def connect(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    async def work(wire: Transport) -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", connect, raising=False)
        await wire.call("ReceiveMessage", {"QueueUrl": queue}, timeout=0.3)

    began = time.monotonic()
    with pytest.raises(aws_errors.ConnectTimeoutError):
        use(queue, work)
    assert time.monotonic() - began < 4


def test_a_connection_that_the_server_closed_is_not_used_again(queue: str, path: FaultyPath) -> None:
    async def work(wire: Transport) -> int:
        good = 0
        for _ in range(5):
            path.plan = lambda action, _: Fault(lose_answer=True)
            with pytest.raises(aws_errors.ConnectionClosedError):
                await wire.call("ReceiveMessage", {"QueueUrl": queue})
            path.plan = lambda action, _: None
            good += await wire.call("ReceiveMessage", {"QueueUrl": queue}) == {}
        return good

    assert use(queue, work) == 5


def test_a_cancelled_call_does_not_answer_the_next_one(queue: str, path: FaultyPath) -> None:
    async def work(wire: Transport) -> Any:
        path.plan = lambda action, _: Fault(stall=0.5) if action == "ReceiveMessage" else None
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(wire.call("ReceiveMessage", {"QueueUrl": queue}), 0.1)
        return await wire.call("GetQueueAttributes", {"QueueUrl": queue, "AttributeNames": ["DelaySeconds"]})

    assert use(queue, work) == {"Attributes": {"DelaySeconds": "0"}}


def test_nobody_listens(queue: str, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:9")
    with pytest.raises(aws_errors.EndpointConnectionError, match=r"127\.0\.0\.1:9"):
        call(queue, "ReceiveMessage")


def test_a_certificate_of_somebody_else(aws: Aws, queue: str, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", aws.instance.variables["AWS_CA_BUNDLE"])  # not the proxy's
    with pytest.raises(aws_errors.SSLError):
        call(queue, "ReceiveMessage")


def test_a_wrong_secret(queue: str, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(aws_errors.ClientError) as found:
        call(queue, "ReceiveMessage")
    assert error_code(found.value) in ("InvalidClientTokenId", "SignatureDoesNotMatch")


def test_a_clock_that_is_wrong_is_corrected(queue: str, path: FaultyPath) -> None:
    now = time.time()
    refused = Fault(status=403, code="RequestExpired", headers={"Date": formatdate(now, usegmt=True)})
    path.plan = lambda action, _: refused if path.count("ReceiveMessage") <= 1 else None

    async def main() -> float:
        sqs: Any = client("sqs")
        endpoint = endpoint_of(sqs, queue)
        assert endpoint is not None
        wire = Wire(sqs, endpoint, Credentials(sqs._get_credentials()), clock=lambda: now - 3_600)
        assert await wire.call("ReceiveMessage", {"QueueUrl": queue}) == {}
        await wire.close()
        return wire._skew

    assert asyncio.run(main()) == pytest.approx(3_600, abs=2)


class Rotating:
    """A source of credentials as botocore has it, which hands out other ones when they are due."""

    def __init__(self, keys: Iterator[SigningKey]) -> None:
        self._keys = keys
        self.needed = True

    def refresh_needed(self) -> bool:
        return self.needed

    def get_frozen_credentials(self) -> Any:
        key = next(self._keys)

        class Frozen:
            access_key, secret_key, token = key.access_key_id, key.secret_access_key, key.token

        self.needed = False
        return Frozen


def test_refused_credentials_are_refreshed_once_for_all_calls(aws: Aws, queue: str) -> None:
    root = aws.instance.root
    keys = iter([SigningKey("AKIANOLONGERVALID000", "x"), SigningKey(root.key_id, root.secret)])

    async def main() -> list[Any]:
        sqs: Any = client("sqs")
        endpoint = endpoint_of(sqs, queue)
        assert endpoint is not None
        wire = Wire(sqs, endpoint, Credentials(Rotating(keys)))
        return await asyncio.gather(*(wire.call("ReceiveMessage", {"QueueUrl": queue}) for _ in range(8)))

    assert asyncio.run(main()) == [{}] * 8
    assert list(keys) == []


def test_endpoints_are_those_of_botocore(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    queue_url = "https://sqs.eu-west-3.amazonaws.com/111122223333/test"
    for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")

    def found() -> tuple[str, str]:
        endpoint = endpoint_of(client("sqs"), queue_url)
        assert endpoint is not None
        return endpoint.host_header, endpoint.region

    assert found() == ("sqs.us-east-2.amazonaws.com", "us-east-2")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    assert found() == ("sqs-fips.us-east-2.amazonaws.com", "us-east-2")
    monkeypatch.delenv("AWS_USE_FIPS_ENDPOINT")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    assert found() == ("sqs.us-east-2.api.aws", "us-east-2")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://localhost:4566/base")
    monkeypatch.delenv("AWS_USE_DUALSTACK_ENDPOINT")
    assert found() == ("localhost:4566", "us-east-2")

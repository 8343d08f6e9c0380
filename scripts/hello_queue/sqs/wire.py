"""SQS's JSON protocol on asyncio: what boto3's client does, at a tenth of its cost.

botocore decides where to call and as whom (`endpoint`), and its exceptions are raised, with its error codes.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import orjson
from botocore import exceptions as aws

from hello_queue.aws.clients import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from hello_queue.aws.errors import error_code
from hello_queue.sqs.connections import Connections, Response
from hello_queue.sqs.endpoint import Credentials, Endpoint
from hello_queue.sqs.signing import Signer, SigningKey

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

_REFUSED_CREDENTIALS = {
    *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"),
    *("InvalidAccessKeyId", "InvalidToken"),
}
_REFUSED_TIME = {
    *("RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture", "SignatureDoesNotMatch"),
    *("InvalidSignatureException", "AuthFailure"),
}
_SKEW_SECONDS = 240
"""SQS accepts a difference of five minutes between its clock and ours."""


class Wire:
    """Calls SQS. Tasks of one event loop share it.

    Args:
        sqs: boto3's client, for its exceptions.
        clock: seconds since the epoch.
    """

    def __init__(
        self, sqs: SQSClient, endpoint: Endpoint, credentials: Credentials, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._exceptions: Any = sqs.exceptions
        self._credentials = credentials
        self._signer = Signer(
            host=endpoint.host_header, path=endpoint.path, region=endpoint.region, service=endpoint.service
        )
        self._connections = Connections(
            endpoint.url, endpoint.host, endpoint.port, endpoint.tls_context(), CONNECT_TIMEOUT_SECONDS
        )
        self._skew = 0.0

    async def call(self, action: str, parameters: Mapping[str, Any], timeout: float = READ_TIMEOUT_SECONDS) -> Any:
        """Call SQS once; again only where it refused credentials or a clock that could be corrected.

        Args:
            action: such as ``SendMessageBatch``.
            parameters: as boto3's client takes them.
            timeout: how long to wait for the response, in seconds.

        Returns:
            What boto3's client returns, without ``ResponseMetadata``.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: as boto3's client.
        """
        body = orjson.dumps(parameters, default=_base64)
        corrected: set[str] = set()
        while True:
            key = await self._credentials.current()
            head = self._signer.head(action, body, key, self._clock() + self._skew)
            response = await self._connections.exchange(head + body, timeout)
            if response.status == 200:
                return _content(response)
            error = self._error(action, response)
            what = await self._correct(error, response, key)
            if what is None or what in corrected:
                raise error
            corrected.add(what)

    async def close(self) -> None:
        self._connections.close()

    async def _correct(self, error: aws.ClientError, response: Response, key: SigningKey) -> str | None:
        """Do what can make the next attempt succeed. Returns what that was; None: nothing can."""
        code = error_code(error)
        if code in _REFUSED_CREDENTIALS and await self._credentials.refresh(key):
            return "credentials"
        date = response.header("date")
        if code in _REFUSED_TIME and date:
            skew = parsedate_to_datetime(date).timestamp() - self._clock()
            if abs(skew - self._skew) > _SKEW_SECONDS:
                self._skew = skew
                return "clock"
        return None

    def _error(self, action: str, response: Response) -> aws.ClientError:
        """The exception that boto3 would raise."""
        try:
            content = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            content = {}
        if not isinstance(content, dict):
            content = {}
        shape = str(content.get("__type", "")).rpartition("#")[2]
        query_code, _, fault = (response.header("x-amzn-query-error") or "").partition(";")
        error = {
            "Code": query_code or shape or str(response.status),
            "Message": content.get("message") or content.get("Message") or "",
        }
        if query_code:
            error |= {"QueryErrorCode": shape, "Type": fault}
        parsed: Any = {
            "Error": error,
            "ResponseMetadata": {
                "HTTPStatusCode": response.status,
                "RequestId": response.header("x-amzn-requestid") or "",
                "HTTPHeaders": {
                    name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
                },
                "RetryAttempts": 0,
            },
        }
        kind: type[aws.ClientError] = self._exceptions.from_code(shape or error["Code"])
        return kind(parsed, action)


def _content(response: Response) -> Any:
    if not response.body:
        return {}
    content = orjson.loads(response.body)
    for message in content.get("Messages", ()):
        for attribute in message.get("MessageAttributes", {}).values():
            if "BinaryValue" in attribute:
                attribute["BinaryValue"] = base64.b64decode(attribute["BinaryValue"])
    return content


def _base64(value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not a value of SQS's API")

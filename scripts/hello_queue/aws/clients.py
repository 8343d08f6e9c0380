"""AWS clients. boto3's usual environment variables, profile and region decide the endpoint and the identity."""

from __future__ import annotations

import functools
import os
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, NoRegionError
from botocore.loaders import Loader, create_loader

from hello_queue.errors import HelloQueueError

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_iam import IAMClient
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sqs import SQSClient
    from types_boto3_sts import STSClient
    from typing_extensions import Unpack

LONG_POLL_SECONDS = 20
"""The longest WaitTimeSeconds:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html"""

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = LONG_POLL_SECONDS + 10

_CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT_SECONDS,
    read_timeout=READ_TIMEOUT_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 3},
)


@dataclass(frozen=True)
class AccessKey:
    """An access key, with a session token if it is temporary. Its repr does not contain the secret."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class ClientOptions(TypedDict, total=False):
    """Options of a client that differ from the defaults.

    Attributes:
        profile: a profile other than the default one.
        key: an access key, instead of a profile's.
        endpoint_url: an endpoint other than the default one.
        config: changes to the default configuration.
    """

    profile: str | None
    key: AccessKey | None
    endpoint_url: str | None
    config: Config | None


@overload
def client(service: Literal["cloudformation"], **options: Unpack[ClientOptions]) -> CloudFormationClient: ...
@overload
def client(service: Literal["cloudwatch"], **options: Unpack[ClientOptions]) -> CloudWatchClient: ...
@overload
def client(service: Literal["iam"], **options: Unpack[ClientOptions]) -> IAMClient: ...
@overload
def client(service: Literal["secretsmanager"], **options: Unpack[ClientOptions]) -> SecretsManagerClient: ...
@overload
def client(service: Literal["sqs"], **options: Unpack[ClientOptions]) -> SQSClient: ...
@overload
def client(service: Literal["sts"], **options: Unpack[ClientOptions]) -> STSClient: ...
def client(service: Any, **options: Unpack[ClientOptions]) -> Any:
    """A boto3 client that gives up within a minute, instead of boto3's five, if the network is down.

    Args:
        service: the name that boto3 uses.
        options: see `ClientOptions`.

    Raises:
        botocore.exceptions.BotoCoreError: the configuration lacks something, such as a region.
        HelloQueueError: boto3 cannot use the configuration, such as an invalid AWS_ENDPOINT_URL.
    """
    key, config = options.get("key"), options.get("config")
    core = botocore.session.Session(profile=options.get("profile"))
    core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
    if core.get_config_variable("region") == "":
        raise NoRegionError  # botocore would take the empty text for a region
    session = boto3.Session(
        botocore_session=core,
        aws_access_key_id=key.key_id if key else None,
        aws_secret_access_key=key.secret if key else None,
        aws_session_token=key.token if key else None,
    )
    _check_authorities(core.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE"))
    try:
        made = session.client(
            service, config=_CONFIG.merge(config) if config else _CONFIG, endpoint_url=options.get("endpoint_url")
        )
        _ = urlsplit(made.meta.endpoint_url).port  # botocore would look at it in each call
    except BotoCoreError:
        raise
    except ValueError as error:
        # botocore has no error of its own for these.
        raise HelloQueueError(
            f"the AWS configuration is invalid: {error}. Check AWS_ENDPOINT_URL and the other AWS_ variables, and the "
            "profile"
        ) from None
    return made


@functools.cache
def _check_authorities(file: str | None) -> None:
    """Check the certificate authorities of `client`'s connections and of our own, for which it is late to complain.
    Once: reading a system's authorities takes milliseconds.

    Raises:
        HelloQueueError: the file cannot be used.
    """
    if file is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
        except OSError as error:
            raise HelloQueueError(
                f"the CA bundle {file!r} cannot be used: {error.strerror}. Check AWS_CA_BUNDLE"
            ) from None


def is_local(endpoint_url: str) -> bool:
    """Whether an endpoint is that of a local AWS."""
    try:
        return urlsplit(endpoint_url).hostname == "127.0.0.1"
    except ValueError:  # no URL, such as http://[
        return False


@functools.cache
def _loader(data_path: str | None) -> Loader:
    """What botocore reads about services. A session of its own for each client would read it anew, for 70 ms."""
    return create_loader(data_path)

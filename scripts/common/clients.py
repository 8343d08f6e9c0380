"""Clients of AWS. Only boto3's usual environment, profile and region decide where they go and as whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

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
    """An access key. The secret stays out of what is printed."""

    key_id: str
    secret: str = field(repr=False)


def client(
    service: str,
    *,
    profile: str | None = None,
    key: AccessKey | None = None,
    endpoint_url: str | None = None,
    config: Config | None = None,
) -> Any:
    """A client that gives up within a minute, not boto3's five, where there is no network.

    Args:
        service: as boto3 names it.
        profile: a profile other than the usual one.
        key: an access key instead of any profile's.
        endpoint_url: where to call instead of the usual place.
        config: what shall differ from the usual configuration.
    """
    credentials = {"aws_access_key_id": key.key_id, "aws_secret_access_key": key.secret} if key else {}
    session = boto3.Session(profile_name=profile, **credentials)
    return session.client(service, config=_CONFIG.merge(config) if config else _CONFIG, endpoint_url=endpoint_url)

"""Clients of AWS. Only boto3's usual environment, profile and region decide where they go and as whom."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

LONG_POLL_SECONDS = 20
"""The longest WaitTimeSeconds:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html"""

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=LONG_POLL_SECONDS + 10,
    retries={"mode": "standard", "total_max_attempts": 3},
)


def client(service: str, **overrides: Any) -> Any:
    """A client that gives up within a minute, not boto3's five, where there is no network."""
    return boto3.client(service, config=_CONFIG, **overrides)

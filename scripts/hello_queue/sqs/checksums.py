"""The MD5 digests that SQS returns for what it stored, and that a receiver can compare.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

_NEW = hashlib.md5(usedforsecurity=False)
"""To copy it takes half the time of making another one."""


def body_md5(body: str) -> str:
    """The digest of a message body."""
    digest = _NEW.copy()
    digest.update(body.encode())
    return digest.hexdigest()


def attributes_md5(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """The digest of message attributes, as SendMessage takes them and ReceiveMessage returns them."""
    digest = _NEW.copy()
    for name in sorted(attributes):
        attribute = attributes[name]
        binary = "StringValue" not in attribute
        value = attribute["BinaryValue"] if binary else attribute["StringValue"].encode()
        for part in (name.encode(), attribute["DataType"].encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        digest.update((b"\x02" if binary else b"\x01") + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()


def is_intact(received: Mapping[str, Any]) -> bool:
    """Whether a message, as ReceiveMessage returns it, has the content that SQS has stored."""
    attributes = received.get("MessageAttributes")
    return received["MD5OfBody"] == body_md5(received["Body"]) and (
        not attributes or received.get("MD5OfMessageAttributes") == attributes_md5(attributes)
    )

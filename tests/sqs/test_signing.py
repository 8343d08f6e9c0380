"""Signatures are those of botocore, for any request."""

from __future__ import annotations

import datetime
import random
from unittest.mock import patch

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from hello_queue.sqs.signing import Signer, SigningKey

NOW = 1_795_570_117.5


def by_botocore(action: str, body: bytes, key: SigningKey, url: str, region: str, now: float) -> str:
    """The Authorization header that botocore's own signer (without the CRT) writes."""
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AmazonSQS.{action}",
        "x-amzn-query-mode": "true",
    }
    request = AWSRequest("POST", url, headers=headers, data=body)
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.token)
    moment = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        botocore.auth.SigV4Auth(credentials, "sqs", region).add_auth(request)
    return str(request.headers["Authorization"])


@pytest.mark.parametrize("token", [None, "a-session-token/+="])
@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://sqs.us-east-1.amazonaws.com/", "sqs.us-east-1.amazonaws.com", "/"),
        ("https://127.0.0.1:4566/", "127.0.0.1:4566", "/"),
        ("http://localhost:4566/base/", "localhost:4566", "/base/"),
    ],
)
def test_a_signature_is_that_of_botocore(url: str, host: str, path: str, token: str | None) -> None:
    generator = random.Random(7)  # noqa: S311 (test data)
    signer = Signer(host=host, path=path, region="eu-west-3")
    for step in range(20):
        # Over midnight, where the derived key changes, and with two keys in turn.
        now = NOW + step * 7_200
        key = SigningKey(f"AKIA{step % 2}", f"secret/{step % 2}+", token)
        body = generator.randbytes(step * 10)
        head = signer.head("SendMessageBatch", body, key, now).decode()
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        assert lines["Authorization"] == by_botocore("SendMessageBatch", body, key, url, "eu-west-3", now)
        assert lines["Content-Length"] == str(len(body))
        assert lines.get("X-Amz-Security-Token") == token
        assert lines["Host"] == host


def test_a_key_does_not_print_its_secrets() -> None:
    text = repr(SigningKey("AKIA1", "very secret", "token of a session"))
    assert "AKIA1" in text
    assert "secret" not in text.replace("secret_access_key", "")
    assert "token of" not in text

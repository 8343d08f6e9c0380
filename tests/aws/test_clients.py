"""A configuration that boto3 cannot use is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import NoRegionError
from botocore.loaders import JSONFileLoader

from hello_queue.aws.clients import client, is_local
from hello_queue.aws.errors import explain
from hello_queue.errors import HelloQueueError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("nonsense", "Invalid endpoint: nonsense"),
        ("https://", "Invalid endpoint: https://"),
        ("http://a b", "Invalid endpoint: http://a b"),
        ("http://[::1", "Invalid IPv6 URL"),
        ("http://localhost:99999", "Port out of range"),
        ("http://localhost:x", "Port could not be cast"),
    ],
)
def test_an_invalid_endpoint(monkeypatch: pytest.MonkeyPatch, endpoint: str, reason: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(HelloQueueError) as raised:
        client("sqs")
    assert reason in str(raised.value)
    assert "Check AWS_ENDPOINT_URL" in str(raised.value)


def test_an_invalid_region_keeps_its_own_explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import InvalidRegionError

    monkeypatch.setenv("AWS_DEFAULT_REGION", "a b")
    with pytest.raises(InvalidRegionError) as raised:
        client("sqs")
    assert "Set AWS_DEFAULT_REGION" in str(explain(raised.value))


def test_an_empty_region_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")
    monkeypatch.setenv("AWS_REGION", "us-east-1")  # boto3 does not read it
    with pytest.raises(NoRegionError) as raised:
        client("sqs")
    assert explain(raised.value) == "You must specify a region. Set AWS_DEFAULT_REGION, or `region` in the profile"


def test_a_profile_goes_before_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with `AWS_PROFILE=queue credentials.py profile queue --as admin`, when the profile queue is not there yet."""
    config = tmp_path / "config"
    config.write_text("[profile admin]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "queue")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    assert client("sqs", profile="admin").meta.region_name == "eu-west-1"


def test_a_second_client_reads_no_descriptions_of_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client("sqs")

    def load_file(*_: object) -> None:
        pytest.fail("a file was read again")

    monkeypatch.setattr(JSONFileLoader, "load_file", load_file)
    client("sqs")


@pytest.mark.parametrize("file", ["/no/such", "/", "/dev/null"])
def test_a_ca_bundle_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", file)
    with pytest.raises(HelloQueueError, match=f"^the CA bundle '{file}' cannot be used: .*. Check AWS_CA_BUNDLE$"):
        client("sqs")


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("https://127.0.0.1:4566", True),
        ("https://sqs.us-east-1.amazonaws.com", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_a_local_aws(endpoint: str, local: bool) -> None:
    assert is_local(endpoint) is local

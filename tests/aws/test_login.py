"""Profiles of `aws login`: boto3 uses and refreshes the cached session, which the AWS CLI has created."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from awscrt.crypto import EC, ECExportFormat, ECType  # type: ignore[import-untyped]

from tests.conftest import Aws, Environment

SESSION = "arn:aws:iam::111122223333:user/Administrator"


@pytest.fixture
def profile(aws: Aws, tmp_path: Path) -> Environment:
    """The environment of a profile that `aws login` has written."""
    config = tmp_path / "config"
    config.write_text(f"[profile me]\nlogin_session = {SESSION}\nregion = us-east-1\n")
    return {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_LOGIN_CACHE_DIRECTORY": str(tmp_path),
        "AWS_PROFILE": "me",
        "AWS_ACCESS_KEY_ID": None,
        "AWS_SECRET_ACCESS_KEY": None,
    }


def cache_file(directory: Path) -> Path:
    """Where the AWS CLI keeps the session, as botocore reads it."""
    return directory / f"{hashlib.sha256(SESSION.encode()).hexdigest()}.json"


def access_token(aws: Aws) -> dict[str, str]:
    """Temporary credentials of the deployment's user."""
    session = aws.client("sts", aws.access_key()).get_session_token()["Credentials"]
    return {
        "accessKeyId": session["AccessKeyId"],
        "secretAccessKey": session["SecretAccessKey"],
        "sessionToken": session["SessionToken"],
    }


def readable_key() -> bytes:
    """A key that awscrt can read: one in 300 of those that it makes it cannot, since it leaves out a leading zero."""
    while True:
        key: bytes = EC.new_generate(ECType.P_256).export_key(ECExportFormat.SEC1)
        with contextlib.suppress(RuntimeError):
            EC.new_key_from_der_data(key)
            return key


def sign_in(aws: Aws, directory: Path, *, valid_for: timedelta) -> None:
    """Write what `aws login` writes."""
    key = base64.b64encode(readable_key()).decode()
    expires_at = (datetime.now(timezone.utc) + valid_for).strftime("%Y-%m-%dT%H:%M:%SZ")
    token = {
        "accessToken": {**access_token(aws), "accountId": "111122223333", "expiresAt": expires_at},
        "refreshToken": "a refresh token",
        "dpopKey": f"-----BEGIN EC PRIVATE KEY-----\n{key}\n-----END EC PRIVATE KEY-----\n",
        "clientId": "arn:aws:signin:::devtools/same-device",
        "tokenType": "urn:aws:params:oauth:token-type:access_token_sigv4",
    }
    cache_file(directory).write_text(json.dumps(token))


class SignIn:
    """The service that refreshes sessions. It answers every call with the same response."""

    def __init__(self) -> None:
        self.status = 200
        self.content: dict[str, Any] = {}
        self.calls: list[Any] = []
        self.url = ""


@pytest.fixture
def service() -> Iterator[SignIn]:
    made = SignIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.calls.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(made.content).encode()
            self.send_response(made.status)
            if made.status != 200:
                self.send_header("x-amzn-errortype", "AccessDeniedException")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_session_is_used(aws: Aws, queue: str, profile: Environment, tmp_path: Path) -> None:
    sign_in(aws, tmp_path, valid_for=timedelta(minutes=15))
    assert aws.script("send.py", "--queue-url", queue, env=profile).stdout.startswith("Sent message ")


def test_an_expired_session_is_refreshed(
    aws: Aws, queue: str, profile: Environment, tmp_path: Path, service: SignIn
) -> None:
    sign_in(aws, tmp_path, valid_for=timedelta(minutes=-15))
    service.content = {
        "accessToken": access_token(aws),
        "tokenType": "aws_sigv4",
        "expiresIn": 900,
        "refreshToken": "the next refresh token",
    }
    done = aws.script("send.py", "--queue-url", queue, env={**profile, "AWS_ENDPOINT_URL_SIGNIN": service.url})
    assert done.stdout.startswith("Sent message ")
    assert [call["refreshToken"] for call in service.calls] == ["a refresh token"]
    assert json.loads(cache_file(tmp_path).read_text())["refreshToken"] == "the next refresh token"


@pytest.mark.parametrize("reason", ["TOKEN_EXPIRED", "USER_CREDENTIALS_CHANGED", "INSUFFICIENT_PERMISSIONS", "OTHER"])
def test_a_session_that_cannot_be_refreshed(
    aws: Aws, queue: str, profile: Environment, tmp_path: Path, service: SignIn, reason: str
) -> None:
    sign_in(aws, tmp_path, valid_for=timedelta(minutes=-15))
    service.status, service.content = 403, {"error": reason, "message": "no"}
    variables = {**profile, "AWS_ENDPOINT_URL_SIGNIN": service.url}
    line = only_line(aws.script("send.py", "--queue-url", queue, check=False, env=variables))
    assert "Sign in again: `aws login --profile me`" in line


def test_a_missing_session(aws: Aws, queue: str, profile: Environment) -> None:
    line = only_line(aws.script("send.py", "--queue-url", queue, check=False, env=profile))
    assert "Sign in again: `aws login --profile me`" in line


@pytest.mark.parametrize("content", ["{}", '{"accessToken": {}}'])
def test_a_damaged_session(aws: Aws, queue: str, profile: Environment, tmp_path: Path, content: str) -> None:
    cache_file(tmp_path).write_text(content)
    line = only_line(aws.script("send.py", "--queue-url", queue, check=False, env=profile))
    assert "aws login --profile me" in line

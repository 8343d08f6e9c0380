"""Start and stop a local AWS, and tell clients how to reach it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from hello_queue.errors import HelloQueueError
from hello_queue.project import ROOT, environment_with_tools

ACCOUNT = "111122223333"
START_SECONDS = 60
BOOTSTRAP_TEMPLATE = ROOT / "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml"
SERVICES = "cloudformation,iam,sts,sqs,secretsmanager,ssm,s3,monitoring,lambda,logs,sns,kms"

_REFUSING_PROXY = "http://127.0.0.1:9"
"""Nothing listens there. A call that ignores AWS_ENDPOINT_URL fails here instead of reaching the real AWS."""

JSII_NODE = Path(__file__).parent / "jsii-node"

_SERVICES_USED = (
    *("CLOUDFORMATION", "CLOUDWATCH", "CLOUDWATCH_LOGS", "IAM", "KMS", "LAMBDA", "S3", "SECRETS_MANAGER"),
    *("SNS", "SQS", "SSM", "STS"),
)
_UNSET = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    *(f"AWS_ENDPOINT_URL_{service}" for service in _SERVICES_USED),
    *("ALL_PROXY", "all_proxy", "http_proxy", "https_proxy", "no_proxy"),
)


@dataclass(frozen=True)
class RootKey:
    """The access key of the account's root user."""

    key_id: str
    secret: str = field(repr=False)

    def write(self, path: Path) -> None:
        """Write it to a new credentials file, as the default profile."""
        path.parent.mkdir()
        path.touch(mode=0o600)
        path.write_text(f"[default]\naws_access_key_id = {self.key_id}\naws_secret_access_key = {self.secret}\n")


@dataclass(frozen=True)
class Instance:
    """A running local AWS.

    Attributes:
        variables: the environment variables that direct the AWS CLI, boto3 and the CDK to it, and nowhere else.
        root: the access key of the default profile.
        directory: everything that it writes. It is removed when the instance stops.
        process: the server.
    """

    variables: Mapping[str, str]
    root: RootKey
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    def environment(self) -> dict[str, str]:
        """The environment for a command: this process's, with its AWS, CDK and proxy settings replaced."""
        inherited = {
            name: value
            for name, value in environment_with_tools().items()
            if not name.startswith(("AWS_", "CDK_")) and not name.lower().endswith("_proxy")
        }
        return {**inherited, **self.variables}

    def exports(self) -> str:
        """Shell commands that set the variables, and unset those that would lead to another AWS."""
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.variables.items())
        return f"unset {' '.join(_UNSET)}\n{exports}"

    def guard(self, group: int) -> None:
        """Have the server kill this process group if this process ends without doing so (0: none)."""
        assert self.process.stdin is not None
        os.write(self.process.stdin.fileno(), b"%d\n" % group)

    def log_tail(self) -> str:
        """The end of the server's log, for an error message."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return "\n".join(lines[-20:])


@contextlib.contextmanager
def local_aws(*, region: str = "us-east-1") -> Iterator[Instance]:
    """Run a local AWS, bootstrapped for the CDK, until the context exits.

    It listens on a free port of 127.0.0.1, for HTTPS and HTTP, and accepts one random root key, which is the default
    profile of the instance's own credentials file. If this process is killed, the server notices and cleans up.

    Raises:
        HelloQueueError: it does not start, or the CDK CLI, whose bootstrap template it needs, is not installed.
    """
    if not BOOTSTRAP_TEMPLATE.exists():
        raise HelloQueueError(f"the CDK CLI is not installed ({BOOTSTRAP_TEMPLATE} is missing): run `make setup`")
    with tempfile.TemporaryDirectory(prefix="local-aws-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        with _serve(directory, region) as instance:
            _await_health(instance)
            _bootstrap(instance)
            yield instance


@contextlib.contextmanager
def _serve(directory: Path, region: str) -> Iterator[Instance]:
    certificate, authority = _certificates(directory)
    root = RootKey(f"LOCALROOT{secrets.token_hex(5).upper()}", secrets.token_urlsafe(30))
    root.write(directory / "aws/credentials")
    with _listener() as listener, (directory / "server.log").open("wb") as log:
        port = listener.getsockname()[1]
        variables = _variables(directory, region, authority, port)
        process = subprocess.Popen(
            [sys.executable, "-m", __package__, directory, certificate, str(listener.fileno())],
            env=_server_environment(directory, region, port, root),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    try:
        yield Instance(variables, root, directory, process)
    finally:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()


def _listener() -> socket.socket:
    """A listening socket on a free port of loopback. Connections wait until the server accepts them: no polling."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def _certificates(directory: Path) -> tuple[Path, Path]:
    """Make a throw-away certificate. Returns the file with it and its private key, and that of its authority."""
    authority, certificate = directory / "authority.pem", directory / "certificate.pem"
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(authority)
    certificate.touch(mode=0o600)
    issuer.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    return certificate, authority


def _variables(directory: Path, region: str, authority: Path, port: int) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CA_BUNDLE": str(authority),
        "NODE_EXTRA_CA_CERTS": str(authority),
        # The user's own files and caches are not touched. The root key is in this credentials file, not in the
        # environment, so that AWS_PROFILE selects a profile as usual.
        "AWS_CONFIG_FILE": str(directory / "aws/config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(directory / "aws/credentials"),
        "CDK_HOME": str(directory / "cdk"),
        "JSII_NODE": str(JSII_NODE),
        # The one cache that is shared: without it, the first synthesis takes 20 seconds longer.
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": os.environ.get("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(jsii_cache())),
        # No call leaves this machine.
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "NO_UPDATE_NOTIFIER": "1",
        "HTTPS_PROXY": _REFUSING_PROXY,
        "HTTP_PROXY": _REFUSING_PROXY,
        "NO_PROXY": "127.0.0.1,localhost",
    }


def jsii_cache() -> Path:
    """The default of JSII_RUNTIME_PACKAGE_CACHE_ROOT, as jsii's kernel computes it from the home folder."""
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/com.amazonaws.jsii/package-cache"
    return Path.home() / ".cache/aws/jsii/package-cache"


def _server_environment(directory: Path, region: str, port: int, root: RootKey) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": root.key_id,
        "AWS_SECRET_ACCESS_KEY": root.secret,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": region,
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "USE_SSL": "1",
        "SERVICES": SERVICES,
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "s3"),
        "LOG_LEVEL": "WARNING",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # ministack removes containers that look like its own when it starts and stops. Keep it away from Docker.
        "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
    }


def _await_health(instance: Instance) -> None:
    trust = ssl.create_default_context(cafile=instance.variables["AWS_CA_BUNDLE"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    try:
        opener.open(f"{instance.variables['AWS_ENDPOINT_URL']}/_ministack/health", timeout=START_SECONDS).close()
    except OSError as error:
        raise HelloQueueError(f"the local AWS did not start ({error}). Its log ends:\n{instance.log_tail()}") from error


def _bootstrap(instance: Instance) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hello_queue.local_aws.bootstrap", BOOTSTRAP_TEMPLATE],
        env=instance.environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise HelloQueueError(f"the local AWS could not be bootstrapped for the CDK:\n{done.stderr}")

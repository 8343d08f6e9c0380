"""What the tests share: templates as they are synthesized, and a local AWS with a real deployment."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from hello_queue.local_aws.instance import Instance, local_aws
from hello_queue.project import ROOT, environment_with_tools
from stacks.settings import FIELDS
from tests.faults import FaultyPath, faulty_path

# node, npm and cdk are the project's own, also where its virtual environment was not activated.
os.environ.update(environment_with_tools())

Template = Mapping[str, Any]
Environment = Mapping[str, str | None]
"""Variables to set; None: not to be set."""
NO_CHANGES: Environment = {}
DEFAULTS = {name: json.dumps(field.default).strip('"') for name, field in FIELDS.items()}
"""Tests are about these, whatever a team has put into cdk.json."""
Synth = Callable[..., dict[str, Template]]


@pytest.fixture(scope="session")
def synth(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    """Synthesize with these settings, as ``cdk synth -c name=value`` does: templates by stack name."""

    import app  # only now: it starts the CDK's node process

    @functools.cache
    def synthesize(**settings: Any) -> dict[str, Template]:
        directory = tmp_path_factory.mktemp("cdk.out")
        context = json.loads((ROOT / "cdk.json").read_text())["context"]
        app.build(context={**context, **DEFAULTS, **settings}, outdir=str(directory)).synth()
        return {
            path.name.removesuffix(".template.json"): json.loads(path.read_text())
            for path in directory.glob("*.template.json")
        }

    return synthesize


class Aws:
    """A local AWS and what a test does with it."""

    def __init__(self, instance: Instance, directory: Path) -> None:
        self.instance = instance
        self._directory = directory

    def client(self, service: str, key: tuple[str, str] | None = None, **overrides: Any) -> Any:
        """A client as root, or by an access key (id, secret)."""
        variables = self.instance.variables
        key_id, secret = key or (self.instance.root.key_id, self.instance.root.secret)
        options = {
            "endpoint_url": variables["AWS_ENDPOINT_URL"],
            "region_name": variables["AWS_REGION"],
            "aws_access_key_id": key_id,
            "aws_secret_access_key": secret,
            "verify": variables["AWS_CA_BUNDLE"],
            "config": Config(proxies={}, retries={"total_max_attempts": 1}),
        }
        return boto3.client(service, **{**options, **overrides})  # type: ignore[call-overload]  # any of them

    def access_key(self) -> tuple[str, str]:
        """The user's access key in Secrets Manager: id and secret."""
        value = self.client("secretsmanager").get_secret_value(SecretId="Administrator/access-key")["SecretString"]
        content = json.loads(value)
        return content["AccessKeyId"], content["SecretAccessKey"]

    def run(self, *command: str, check: bool = True, env: Environment = NO_CHANGES) -> subprocess.CompletedProcess[str]:
        """Run a command inside the local AWS, from the root of the project. ``env`` changes its environment."""
        environment = {**self.instance.environment(), **env}
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={name: value for name, value in environment.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def script(
        self, name: str, *arguments: str, check: bool = True, env: Environment = NO_CHANGES
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the scripts as a process."""
        return self.run(sys.executable, f"scripts/{name}", *arguments, check=check, env=env)

    def cdk(self, verb: str, *arguments: str, check: bool = True, **settings: Any) -> subprocess.CompletedProcess[str]:
        """Run the real CDK CLI, for all stacks, with settings as context; otherwise the defaults, not cdk.json's."""
        values = {**DEFAULTS, **settings}.items()
        context = [argument for name, value in values for argument in ("-c", f"{name}={value}")]
        always = ["--all", f"--output={self._directory}/cdk.out"]
        always += {"deploy": ["--require-approval=never"], "destroy": ["--force"]}.get(verb, [])
        return self.run("cdk", verb, *always, *context, *arguments, check=check)


def start(directory: Path) -> Iterator[Aws]:
    """A local AWS whose CDK output goes to this directory."""
    with local_aws() as instance:
        yield Aws(instance, directory)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """A local AWS for all tests, with the default deployment in it."""
    for running in start(tmp_path_factory.mktemp("aws")):
        running.cdk("deploy")
        yield running


@pytest.fixture
def empty_aws(tmp_path: Path) -> Iterator[Aws]:
    """A local AWS of the test's own, bootstrapped and otherwise empty."""
    yield from start(tmp_path)


@pytest.fixture
def path(aws: Aws, tmp_path: Path) -> Iterator[FaultyPath]:
    """A faulty path to the local AWS that all tests share."""
    with faulty_path(aws.instance, tmp_path) as faulty:
        yield faulty


@pytest.fixture
def aws_cli() -> str:
    """An AWS CLI of version 2: the first that imports a .csv."""
    for folder in [*os.environ["PATH"].split(os.pathsep), "/usr/bin"]:
        found = Path(folder) / "aws"
        if found.exists():
            shown = subprocess.run([str(found), "--version"], capture_output=True, text=True, check=False).stdout
            if shown.startswith("aws-cli/2"):
                return str(found)
    pytest.skip("no AWS CLI v2 on this machine")


@pytest.fixture
def deployed_queue(aws: Aws) -> str:
    """The URL of the deployed queue, emptied of what other tests left in it."""
    sqs = aws.client("sqs")
    url: str = sqs.get_queue_url(QueueName="test")["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)
    return url


@pytest.fixture
def queue(aws: Aws, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty queue of the test's own, without a delay."""
    sqs = aws.client("sqs")
    url: str = sqs.create_queue(QueueName=f"t-{os.getpid()}-{abs(hash(request.node.nodeid)) % 10**12}")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)

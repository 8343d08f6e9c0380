"""What the tests share: synthesized templates, and a local AWS with a real deployment."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from hello_queue.local_aws.instance import Instance, local_aws
from hello_queue.project import ROOT, environment_with_tools
from stacks.settings import FIELDS
from tests.faults import FaultyPath, faulty_path

# node, npm and cdk are the project's own, also where its virtual environment was not activated.
os.environ.update(environment_with_tools())

Template = Mapping[str, Any]
Environment = Mapping[str, str | None]
"""Variables to set; None removes one."""
NO_CHANGES: Environment = {}
CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"]
FEATURE_FLAGS = {name: value for name, value in CONTEXT.items() if name not in FIELDS}
"""The context in cdk.json without the settings that a team has put there."""
DEFAULTS = {name: json.dumps(field.default).strip('"') for name, field in FIELDS.items()}
"""The settings of the tests, whatever a team has put into cdk.json."""
Synth = Callable[..., dict[str, Template]]
OFTEN: Any = {"Delay": 0.1, "MaxAttempts": 300}
"""How a waiter of CloudFormation asks. boto3 accepts fractions of a second."""


def pytest_xdist_auto_num_workers() -> int:
    """More processes than cores: most tests wait for another process or for SQS."""
    return (os.cpu_count() or 1) * 5 // 2


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process of a test run makes this."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Assemblies:
    """Cloud assemblies, each synthesized once for all processes of a test run. The CDK takes seconds to start."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)

    def synthesize(self, **settings: Any) -> Path:
        """The assembly of these settings, as ``cdk synth -c name=value`` writes it."""
        context = {**FEATURE_FLAGS, **DEFAULTS, **settings}
        name = hashlib.sha256(json.dumps(context, sort_keys=True).encode()).hexdigest()[:16]
        assembly = self._directory / name
        with locked(assembly):
            if not (assembly / "validation-report.json").exists():
                import app  # only now: it starts the CDK's node process

                app.build(context=context, outdir=str(assembly)).synth()
        return assembly

    def stacks(self, **settings: Any) -> list[tuple[str, str, list[dict[str, str]]]]:
        """Name, template and tags of each stack that is not empty, in the order of their deployment."""
        assembly = self.synthesize(**settings)
        found = []
        for name, artifact in json.loads((assembly / "manifest.json").read_text())["artifacts"].items():
            if artifact["type"] == "aws:cloudformation:stack":
                template = (assembly / artifact["properties"]["templateFile"]).read_text()
                tags = [{"Key": key, "Value": value} for key, value in artifact["properties"]["tags"].items()]
                if "Resources" in json.loads(template):
                    found.append((name, template, tags))
        return found


@pytest.fixture(autouse=True)
def interruptible() -> None:
    """The processes that a test interrupts inherit a SIGINT that is ignored: by a shell that started this in the
    background, or by a test that imported a script."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this test run, which its processes share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def assemblies(shared_folder: Path) -> Assemblies:
    """The assemblies of this test run, which its processes share."""
    return Assemblies(shared_folder / "assemblies")


@pytest.fixture(scope="session")
def synth(assemblies: Assemblies) -> Synth:
    """Synthesize with these settings: templates by stack name."""

    @functools.cache
    def templates(**settings: Any) -> dict[str, Template]:
        return {
            path.name.removesuffix(".template.json"): json.loads(path.read_text())
            for path in assemblies.synthesize(**settings).glob("*.template.json")
        }

    return templates


class Aws:
    """A local AWS, and what tests do with it."""

    def __init__(self, instance: Instance, assemblies: Assemblies) -> None:
        self.instance = instance
        self._assemblies = assemblies
        self._clients: dict[Any, Any] = {}  # making one takes long

    def client(self, service: str, key: tuple[str, str] | None = None, **overrides: Any) -> Any:
        """A client as root, or with an access key (id, secret)."""
        name = (service, key, *overrides.items())
        if name not in self._clients:
            self._clients[name] = self._make_client(service, key, **overrides)
        return self._clients[name]

    def _make_client(self, service: str, key: tuple[str, str] | None, **overrides: Any) -> Any:
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
        """Run a command against the local AWS, in the root of the project. ``env`` changes its environment."""
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

    def cdk(
        self, verb: str, *arguments: str, check: bool = True, run_app: bool = False, **settings: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run the CDK CLI for all stacks, with these settings on top of the defaults.

        Args:
            run_app: have the CLI run app.py, as cdk.json says; otherwise it gets the assembly that this test run has.
        """
        options = {"deploy": ["--require-approval=never"], "destroy": ["--force"]}.get(verb, [])
        if run_app or verb == "synth":
            values = {**DEFAULTS, **settings}.items()
            options += ["--output", f"{self.instance.directory}/cdk.out"]
            options += [argument for name, value in values for argument in ("-c", f"{name}={value}")]
        else:
            options += ["--app", str(self._assemblies.synthesize(**settings))]
        return self.run("cdk", verb, "--all", *options, *arguments, check=check)

    def deploy(self, **settings: Any) -> None:
        """What ``cdk("deploy")`` does, by CloudFormation's API in a tenth of the CDK CLI's time, without assets."""
        cloudformation = self.client("cloudformation")
        existing = {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]}
        for name, template, tags in self._assemblies.stacks(**settings):
            verb = "update" if name in existing else "create"
            call = getattr(cloudformation, f"{verb}_stack")
            try:
                call(StackName=name, TemplateBody=template, Tags=tags, Capabilities=["CAPABILITY_NAMED_IAM"])
            except ClientError as error:
                if "No updates are to be performed" not in str(error):
                    raise
                continue
            cloudformation.get_waiter(f"stack_{verb}_complete").wait(StackName=name, WaiterConfig=OFTEN)

    @contextlib.contextmanager
    def deployed(self, **settings: Any) -> Iterator[None]:
        """A deployment that is destroyed when the context ends."""
        self.deploy(**settings)
        try:
            yield
        finally:
            self.destroy(**settings)

    def destroy(self, **settings: Any) -> None:
        """What ``cdk("destroy")`` does, by CloudFormation's API."""
        cloudformation = self.client("cloudformation")
        for name, _, _ in reversed(self._assemblies.stacks(**settings)):
            cloudformation.delete_stack(StackName=name)
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=OFTEN)


@contextlib.contextmanager
def bootstrapped_aws(assemblies: Assemblies) -> Iterator[Aws]:
    """A local AWS in which nothing is deployed."""
    with local_aws() as instance:
        yield Aws(instance, assemblies)


@pytest.fixture(scope="session")
def aws(assemblies: Assemblies) -> Iterator[Aws]:
    """A local AWS for all tests of a process, with the default deployment."""
    with bootstrapped_aws(assemblies) as running:
        running.deploy()
        yield running


@pytest.fixture
def empty_aws(assemblies: Assemblies) -> Iterator[Aws]:
    """A local AWS for one test, bootstrapped and otherwise empty."""
    with bootstrapped_aws(assemblies) as running:
        yield running


@pytest.fixture
def path(aws: Aws, tmp_path: Path) -> Iterator[FaultyPath]:
    """A faulty path to the shared local AWS."""
    with faulty_path(aws.instance, tmp_path) as faulty:
        yield faulty


@pytest.fixture
def aws_cli() -> str:
    """An AWS CLI of version 2, the first version that imports a .csv file."""
    for folder in [*os.environ["PATH"].split(os.pathsep), "/usr/bin"]:
        found = Path(folder) / "aws"
        if found.exists():
            shown = subprocess.run([str(found), "--version"], capture_output=True, text=True, check=False).stdout
            if shown.startswith("aws-cli/2"):
                return str(found)
    pytest.skip("no AWS CLI v2 on this machine")


@pytest.fixture
def deployed_queue(aws: Aws) -> str:
    """The URL of the deployed queue, purged."""
    sqs = aws.client("sqs")
    url: str = sqs.get_queue_url(QueueName="test")["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)
    return url


@pytest.fixture
def queue(aws: Aws, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a new queue for one test, without a delay."""
    sqs = aws.client("sqs")
    url: str = sqs.create_queue(QueueName=f"t-{os.getpid()}-{abs(hash(request.node.nodeid)) % 10**12}")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)

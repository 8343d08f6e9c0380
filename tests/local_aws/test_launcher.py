"""local_aws.py as a process: its exit status, what it leaves behind (nothing), and who can reach it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hello_queue.local_aws.instance import jsii_cache
from hello_queue.project import ROOT
from tests.conftest import Aws

_LIKE_SIGTERM = (signal.SIGINT, signal.SIGHUP)
LOCAL_AWS = [sys.executable, "scripts/local_aws.py"]

DEPLOY = "cdk deploy HelloQueueMessaging -c workers=lambda --require-approval=never --output=$TMPDIR/cdk.out -q"

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder for temporary files. Its name, in TMPDIR, identifies every process that the test starts."""
    marked = tmp_path / f"marked-{uuid.uuid4()}"
    marked.mkdir()
    yield marked
    for process in processes(marked):
        os.kill(process, signal.SIGKILL)


def start(home: Path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def processes(home: Path) -> list[int]:
    """The processes that have the folder's name in their arguments or their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # An ended process that nobody has waited for yet has neither.
            if home.name.encode() in (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    pytest.fail(f"{text!r} was not printed:\n{seen}")


def local_aws(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LOCAL_AWS, "--", *command],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@needs_proc
@pytest.mark.parametrize(("ending", "status"), [("exit 7", 7), pytest.param("kill -9 $$", 137, marks=pytest.mark.soak)])
def test_the_exit_status_is_the_commands_and_nothing_is_left(home: Path, ending: str, status: int) -> None:
    done = local_aws(home, "sh", "-c", f"sleep 1000 & echo started; {ending}")
    assert done.returncode == status
    assert done.stdout + done.stderr == "started\n"
    assert processes(home) == []
    assert list(home.iterdir()) == []


def test_a_command_that_does_not_exist(home: Path) -> None:
    done = local_aws(home, "no-such-command")
    assert done.returncode == 1
    assert done.stderr == "local_aws.py: 'no-such-command' cannot be started: No such file or directory\n"
    assert list(home.iterdir()) == []


@needs_proc
@pytest.mark.parametrize(
    "ended_by",
    [signal.SIGTERM, signal.SIGKILL, *(pytest.param(each, marks=pytest.mark.soak) for each in _LIKE_SIGTERM)],
)
def test_a_signal_leaves_no_process_and_no_file(home: Path, ended_by: signal.Signals) -> None:
    """The command has children and ignores signals. Signals go on coming until the launcher has ended."""
    stubborn = "trap '' INT TERM HUP; sleep 1000 & echo up; while true; do sleep 1; done"
    running = start(home, *LOCAL_AWS, "--", "sh", "-c", f"(sleep 1000 &); {stubborn}")
    read_until(running, "up")
    assert len(processes(home)) >= 4
    os.kill(running.pid, ended_by)
    until = time.monotonic() + 20
    while running.poll() is None and time.monotonic() < until:  # the second signal ends the ten seconds of grace
        time.sleep(0.01)
        if ended_by != signal.SIGKILL:
            os.kill(running.pid, ended_by)
    assert running.wait(1) == (-signal.SIGKILL if ended_by == signal.SIGKILL else 128 + ended_by)
    assert eventually(lambda: processes(home) == []), processes(home)
    assert eventually(lambda: list(home.iterdir()) == [])


@needs_proc
def test_a_signal_while_it_starts(home: Path) -> None:
    running = start(home, *LOCAL_AWS, "--", "echo", "up")
    assert eventually(lambda: list(home.glob("*/server.log")) != [])
    os.kill(running.pid, signal.SIGTERM)
    assert running.communicate(timeout=20)[0] == "local_aws.py: interrupted\n"
    assert running.returncode == 143
    assert processes(home) == []
    assert list(home.iterdir()) == []


@needs_proc
def test_it_stops_when_its_parent_is_killed(home: Path) -> None:
    """Such as the shell of a killed `make`."""
    command = shlex.join([*LOCAL_AWS, "--", "sh", "-c", "echo up; sleep 1000"])
    parent = start(home, "sh", "-c", f"{command}; true")
    read_until(parent, "up")
    parent.kill()
    assert eventually(lambda: processes(home) == []), processes(home)


@needs_proc
def test_the_server_dies_while_the_command_runs(home: Path) -> None:
    kill_server = "for p in /proc/[0-9]*; do grep -qz '^hello_queue.local_aws$' $p/cmdline 2>/dev/null && "
    kill_server += 'grep -qz "$(basename "$TMPDIR")" $p/cmdline && kill -9 ${p#/proc/}; done; python scripts/send.py'
    done = local_aws(home, "sh", "-c", kill_server)
    assert done.returncode == 1
    assert "no response from AWS" in done.stderr
    assert "the local AWS died" in done.stderr
    assert processes(home) == []


@needs_proc
def test_the_exports_work_in_another_terminal(home: Path) -> None:
    running = start(home, *LOCAL_AWS)
    exports = read_until(running, "NO_PROXY")
    call = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    shell = f"{exports}\n{shlex.quote(sys.executable)} -c {shlex.quote(call)}"
    leading_elsewhere = {"AWS_ACCESS_KEY_ID": "REAL", "AWS_SECRET_ACCESS_KEY": "REAL", "AWS_PROFILE": "real"}
    leading_elsewhere |= {"AWS_ENDPOINT_URL_STS": "https://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        ["sh", "-c", shell],
        env={**os.environ, **leading_elsewhere},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "111122223333\n", done.stderr
    assert (
        f"JSII_RUNTIME_PACKAGE_CACHE_ROOT={os.environ.get('JSII_RUNTIME_PACKAGE_CACHE_ROOT', Path.home())}" in exports
    )
    os.kill(running.pid, signal.SIGINT)
    assert running.wait(10) == 0
    assert processes(home) == []


@needs_proc
def test_it_listens_on_loopback_only_and_not_on_443(aws: Aws) -> None:
    inodes = set()
    for descriptor in Path(f"/proc/{aws.instance.process.pid}/fd").iterdir():
        target = str(descriptor.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                listening.add(fields[1])
    port = int(aws.instance.variables["AWS_ENDPOINT_URL"].rpartition(":")[2])
    assert listening == {f"0100007F:{port:04X}"}
    assert port != 443


def test_two_instances_are_independent(aws: Aws, empty_aws: Aws) -> None:
    assert aws.instance.variables["AWS_ENDPOINT_URL"] != empty_aws.instance.variables["AWS_ENDPOINT_URL"]
    assert not empty_aws.client("sqs").list_queues().get("QueueUrls")
    assert aws.client("sqs").get_queue_url(QueueName="test")
    with pytest.raises(Exception, match="security token"):
        empty_aws.client("sqs", (aws.instance.root.key_id, aws.instance.root.secret)).list_queues()


@pytest.mark.parametrize("key", ["test", "111122223333", None])
def test_a_root_key_needs_its_secret(aws: Aws, key: str | None) -> None:
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        aws.client("sqs", (key or aws.instance.root.key_id, "test")).list_queues()


@pytest.mark.parametrize("deploy", ["true", pytest.param(DEPLOY, marks=pytest.mark.soak)], ids=["env", "deploy"])
def test_the_users_settings_and_files_are_not_touched(home: Path, monkeypatch: pytest.MonkeyPatch, deploy: str) -> None:
    """Neither AWS variables, which could lead to the real AWS, nor the home folder: not even with fingerprints of
    the assets that are synthesized. The one exception, jsii's package cache, is elsewhere here."""
    persons = home / "person"
    files = {"config": "[default]\nregion = eu-west-1\n", "credentials": "[default]\naws_access_key_id = REAL\n"}
    (persons / ".aws").mkdir(parents=True)
    for name, text in files.items():
        (persons / ".aws" / name).write_text(text)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_SQS", "CDK_DEFAULT_ACCOUNT", "https_proxy"):
        monkeypatch.setenv(name, "real")
    monkeypatch.setenv("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(jsii_cache()))
    monkeypatch.setenv("HOME", str(persons))
    done = local_aws(home, "sh", "-c", f"env; {deploy}")
    assert done.returncode == 0, done.stderr
    assert "=real\n" not in done.stdout
    found = {str(path.relative_to(persons)): path.read_text() for path in persons.rglob("*") if path.is_file()}
    assert found == {f".aws/{name}": text for name, text in files.items()}


def test_calls_to_other_endpoints_are_refused(aws: Aws) -> None:
    call = "import boto3; boto3.client('sqs', endpoint_url='https://sqs.us-east-1.amazonaws.com').list_queues()"
    done = aws.run(sys.executable, "-c", call, check=False)
    assert 'ProxyConnectionError: Failed to connect to proxy URL: "http://127.0.0.1:9"' in done.stderr


@pytest.mark.soak
def test_cdk_bootstrap_finds_nothing_to_do(aws: Aws) -> None:
    """The local AWS starts with what `cdk bootstrap` deploys."""
    done = aws.run("cdk", "bootstrap")
    assert "(no changes)" in done.stdout + done.stderr


@pytest.mark.parametrize("endpoint", [None, "", "https://sqs.us-east-1.amazonaws.com"])
def test_the_demo_refuses_the_real_aws(aws: Aws, endpoint: str | None) -> None:
    done = aws.script("demo.py", check=False, env={"AWS_ENDPOINT_URL": endpoint})
    assert done.returncode == 1
    assert done.stderr.endswith("use `make demo`\n")
    assert done.stdout == ""


@needs_proc
@pytest.mark.parametrize(
    ("seen", "ended_by"),
    [("1/6", signal.SIGKILL), pytest.param("4/6", signal.SIGINT, marks=pytest.mark.soak)],
)
def test_a_killed_demo_leaves_no_process(home: Path, seen: str, ended_by: signal.Signals) -> None:
    running = start(home, "make", "demo")
    read_until(running, seen)
    if ended_by == signal.SIGINT:  # Ctrl-C signals the whole group
        os.killpg(running.pid, ended_by)
    else:
        os.kill(running.pid, ended_by)
    running.wait(20)
    assert eventually(lambda: processes(home) == []), processes(home)

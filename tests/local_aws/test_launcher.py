"""local_aws.py as a process: its exit status, what it leaves behind (nothing), and where it can be reached from."""

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

from hello_queue.project import ROOT
from tests.conftest import Aws

LOCAL_AWS = [sys.executable, "scripts/local_aws.py"]

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder for temporary files whose name marks every process that belongs to the test."""
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
@pytest.mark.parametrize(("command", "status"), [("true", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -15 $$", 143)])
def test_the_exit_status_is_the_commands(home: Path, command: str, status: int) -> None:
    done = local_aws(home, "sh", "-c", command)
    assert done.returncode == status
    assert done.stdout + done.stderr == ""
    assert processes(home) == []
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("region", ["", "mars", "us-east", "US-EAST-1"])
def test_a_region_that_is_none(region: str) -> None:
    command = [*LOCAL_AWS, f"--region={region}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{region!r} is no AWS region" in done.stderr


def test_a_command_that_does_not_exist(home: Path) -> None:
    done = local_aws(home, "no-such-command")
    assert done.returncode == 1
    assert done.stderr == "local_aws.py: no-such-command: No such file or directory\n"
    assert list(home.iterdir()) == []


@needs_proc
def test_what_the_command_left_running_is_ended(home: Path) -> None:
    done = local_aws(home, "sh", "-c", "sleep 1000 & echo started")
    assert (done.returncode, done.stdout) == (0, "started\n")
    assert processes(home) == []


@needs_proc
@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_however_it_ends_no_process_and_no_file_is_left(home: Path, ended_by: signal.Signals) -> None:
    """The command is one that has children, and does not care for signals."""
    stubborn = "trap '' INT TERM HUP; sleep 1000 & echo up; while true; do sleep 1; done"
    running = start(home, *LOCAL_AWS, "--", "sh", "-c", f"(sleep 1000 &); {stubborn}")
    read_until(running, "up")
    assert len(processes(home)) >= 4
    # Not worth ten seconds of grace in a test: a second signal ends it at once.
    os.kill(running.pid, ended_by)
    if ended_by != signal.SIGKILL:
        time.sleep(0.2)
        os.kill(running.pid, ended_by)
    assert running.wait(20) == (-signal.SIGKILL if ended_by == signal.SIGKILL else 128 + ended_by)
    assert eventually(lambda: processes(home) == []), processes(home)
    assert eventually(lambda: list(home.iterdir()) == [])


@needs_proc
def test_it_ends_with_the_make_that_started_it(home: Path) -> None:
    """The parent is killed: whoever it ran the command for is gone."""
    command = shlex.join([*LOCAL_AWS, "--", "sh", "-c", "echo up; sleep 1000"])
    parent = start(home, "sh", "-c", f"{command}; true")
    read_until(parent, "up")
    parent.kill()
    assert eventually(lambda: processes(home) == []), processes(home)


@needs_proc
def test_the_server_dies_under_the_command(home: Path) -> None:
    kill_server = "for p in /proc/[0-9]*; do grep -qz '^hello_queue.local_aws$' $p/cmdline 2>/dev/null && "
    kill_server += 'grep -qz "$(basename "$TMPDIR")" $p/cmdline && kill -9 ${p#/proc/}; done; python scripts/send.py'
    done = local_aws(home, "sh", "-c", kill_server)
    assert done.returncode == 1
    assert "no response from AWS" in done.stderr
    assert "the local AWS died" in done.stderr
    assert processes(home) == []


@needs_proc
def test_it_stays_up_and_prints_exports_for_any_tool(home: Path) -> None:
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
    variables = aws.instance.variables
    ports = [int(variables[name].rpartition(":")[2]) for name in ("AWS_ENDPOINT_URL", "LOCAL_AWS_HTTP_ENDPOINT")]
    assert listening == {f"0100007F:{port:04X}" for port in ports}
    assert 443 not in ports


def test_two_at_once_do_not_disturb_each_other(aws: Aws, empty_aws: Aws) -> None:
    assert aws.instance.variables["AWS_ENDPOINT_URL"] != empty_aws.instance.variables["AWS_ENDPOINT_URL"]
    assert not empty_aws.client("sqs").list_queues().get("QueueUrls")
    assert aws.client("sqs").get_queue_url(QueueName="test")
    with pytest.raises(Exception, match="security token"):
        empty_aws.client("sqs", (aws.instance.root.key_id, aws.instance.root.secret)).list_queues()


@pytest.mark.parametrize("key", ["test", "111122223333", None])
def test_root_keys_need_the_secret_too(aws: Aws, key: str | None) -> None:
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        aws.client("sqs", (key or aws.instance.root.key_id, "test")).list_queues()


def test_a_persons_own_settings_do_not_get_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither their AWS variables, which could lead to the real AWS, nor their files and caches."""
    files = {"config": "[default]\nregion = eu-west-1\n", "credentials": "[default]\naws_access_key_id = REAL\n"}
    (home / ".aws").mkdir()
    for name, text in files.items():
        (home / ".aws" / name).write_text(text)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_SQS", "CDK_DEFAULT_ACCOUNT", "https_proxy"):
        monkeypatch.setenv(name, "real")
    monkeypatch.setenv("HOME", str(home))
    done = local_aws(home, "sh", "-c", "env; cdk deploy --all --require-approval=never --output=$TMPDIR/cdk.out -q")
    assert done.returncode == 0, done.stderr
    assert "=real\n" not in done.stdout
    assert {path.name: path.read_text() for path in (home / ".aws").iterdir()} == files
    assert not (home / ".cdk").exists()


def test_what_goes_past_the_endpoint_does_not_get_out(aws: Aws) -> None:
    call = "import boto3; boto3.client('sqs', endpoint_url='https://sqs.us-east-1.amazonaws.com').list_queues()"
    done = aws.run(sys.executable, "-c", call, check=False)
    assert 'ProxyConnectionError: Failed to connect to proxy URL: "http://127.0.0.1:9"' in done.stderr


def test_the_clis_own_bootstrap_finds_nothing_to_do(aws: Aws) -> None:
    """What the local AWS was bootstrapped with is what `cdk bootstrap` brings."""
    done = aws.run("cdk", "bootstrap")
    assert "(no changes)" in done.stdout + done.stderr


@needs_proc
@pytest.mark.parametrize(
    ("seen", "ended_by"),
    [
        ("A local AWS is up", signal.SIGKILL),
        ("1/6", signal.SIGINT),
        ("1/6", signal.SIGTERM),
        ("1/6", signal.SIGKILL),
        ("4/6", signal.SIGINT),
        ("4/6", signal.SIGTERM),
        ("4/6", signal.SIGKILL),
        ("6/6", signal.SIGKILL),
    ],
)
def test_a_killed_demo_leaves_no_process(home: Path, seen: str, ended_by: signal.Signals) -> None:
    running = start(home, "make", "demo")
    read_until(running, seen)
    if ended_by == signal.SIGINT:  # Ctrl-C is for the whole group
        os.killpg(running.pid, ended_by)
    else:
        os.kill(running.pid, ended_by)
    running.wait(20)
    assert eventually(lambda: processes(home) == []), processes(home)

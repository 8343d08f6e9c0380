"""Profiles in the AWS files: other content is unchanged, and a crash leaves the old or the new file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hello_queue.deployment.profiles import write_profile
from hello_queue.project import ROOT
from tests.deployment.conftest import mode, values

OTHERS = """\
# Mine, do not touch
[default]
aws_access_key_id = LOCALROOT
aws_secret_access_key=a=b%c ; no comment

[work]   ; the other one
    aws_access_key_id : X
s3 =
    max_concurrent_requests = 20
    # nested
flag

[queue]
aws_access_key_id = OLD
aws_session_token = OLD
region = eu-west-1
# about nothing
[last]
x = 1"""


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", OTHERS, OTHERS.replace("\n", "\r\n")])
def test_other_profiles_comments_and_order_are_unchanged(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "credentials"
    path.write_bytes(text.encode())
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    new = {"aws_access_key_id": "NEW", "aws_secret_access_key": "NEW/+=", "aws_session_token": None}
    write_profile("queue", credentials=new, config={"region": "eu-north-1"}, overwrite=True)
    after = path.read_bytes().decode()
    ours = ("aws_access_key_id = OLD", "aws_session_token = OLD")
    untouched = [line for line in text.splitlines() if line not in ours]
    assert [line for line in after.splitlines() if line in untouched and line] == [line for line in untouched if line]
    section = values(str(path), "queue")
    assert {key: section.get(key) for key in new} == new
    assert values(str(tmp_path / "config"), "profile queue") == {"region": "eu-north-1"}
    write_profile("queue", credentials=new, config={"region": "eu-north-1"}, overwrite=False)
    assert path.read_bytes().decode() == after


KILL_ME = """
import os, signal, sys
from pathlib import Path
from hello_queue.deployment.profiles import write_profile
moment, passed = int(sys.argv[1]), 0
def tracer(frame, event, argument):
    global passed
    if event == "line" and "/deployment/" in frame.f_code.co_filename:
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)
    return tracer
sys.settrace(tracer)
new = {"aws_access_key_id": "NEW", "aws_secret_access_key": "NEW" * 1000}
write_profile("queue", credentials=new, config={"region": "new"}, overwrite=True)
"""


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_killed_at_any_line_it_leaves_the_old_or_the_new_file(tmp_path: Path, step: int) -> None:
    """Killed after each line of the package in turn (or each fifth), until it completes."""
    old = "[default]\naws_access_key_id = OLD\n\n[queue]\naws_access_key_id = OLD\n"
    paths = {"AWS_SHARED_CREDENTIALS_FILE": tmp_path / "credentials", "AWS_CONFIG_FILE": tmp_path / "config"}
    seen: list[set[str]] = [set(), set()]
    for moment in range(1, 1000, step):
        for path in paths.values():
            path.write_text(old)
        environment = {**os.environ, **{name: str(path) for name, path in paths.items()}}
        command = [sys.executable, "-c", KILL_ME, str(moment)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        for number, path in enumerate(paths.values()):
            seen[number].add(path.read_text())
        for leftover in tmp_path.glob(".*.partial"):
            assert mode(leftover) == 0o600
            leftover.unlink()
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    else:
        pytest.fail("it never completed")
    assert moment > 50
    assert [len(texts) for texts in seen] == [2, 2]
    assert all(old in texts for texts in seen)


def test_temporary_files_of_a_killed_run_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    old, young = tmp_path / ".credentials.a.partial", tmp_path / ".credentials.b.partial"
    for path in (old, young):
        path.write_text("secret")
    os.utime(old, (0, 0))
    write_profile("queue", credentials={"aws_access_key_id": "NEW"}, config={}, overwrite=False)
    assert not old.exists()
    assert young.exists(), "another process may be writing it"


def test_concurrent_runs_leave_a_complete_file(tmp_path: Path) -> None:
    environment = {**os.environ, "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    environment["AWS_CONFIG_FILE"] = str(tmp_path / "config")
    running = [subprocess.Popen([sys.executable, "-c", KILL_ME, "0"], cwd=ROOT, env=environment) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert values(environment["AWS_SHARED_CREDENTIALS_FILE"], "queue")["aws_access_key_id"] == "NEW"
    assert list(tmp_path.glob(".*")) == []

"""Profiles in the AWS files: other content is unchanged, and a crash leaves the old or the new file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hello_queue.deployment.profiles import write_profile
from hello_queue.project import ROOT
from tests.deployment.conftest import values

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


KILLED_AT_EVERY_LINE = """
import json, os, signal, stat, sys
from pathlib import Path
from hello_queue.deployment.profiles import write_profile

old, *names = sys.argv[1:]
paths = [Path(name) for name in names]

def killed_at(moment):
    passed = 0
    def tracer(frame, event, argument):
        nonlocal passed
        if event == "line" and "/deployment/" in frame.f_code.co_filename:
            passed += 1
            if passed == moment:
                os.kill(os.getpid(), signal.SIGKILL)
        return tracer
    return tracer

for moment in range(1, 1000):
    for path in paths:
        path.write_text(old)
    child = os.fork()  # importing takes a hundred times as long
    if child == 0:
        sys.settrace(killed_at(moment))
        new = {"aws_access_key_id": "NEW", "aws_secret_access_key": "NEW" * 1000}
        write_profile("queue", credentials=new, config={"region": "new"}, overwrite=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    leftovers = list(paths[0].parent.glob(".*.partial"))
    modes = [stat.S_IMODE(each.stat().st_mode) for each in leftovers]
    for each in leftovers:
        each.unlink()
    print(json.dumps([status, *(path.read_text() for path in paths), *modes]))
    if status == 0:
        break
"""


def test_killed_at_any_line_it_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    """Killed at each line of the package in turn, until it completes."""
    old = "[default]\naws_access_key_id = OLD\n\n[queue]\naws_access_key_id = OLD\n"
    paths = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_CONFIG_FILE": str(tmp_path / "config")}
    command = [sys.executable, "-c", KILLED_AT_EVERY_LINE, old, *paths.values()]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **paths}, capture_output=True, text=True, timeout=60, check=True
    )
    *killed, completed = (json.loads(line) for line in done.stdout.splitlines())
    assert len(killed) > 50
    assert {status for status, *_ in killed} == {int(signal.SIGKILL)}, done.stderr
    assert completed[0] == 0, done.stderr
    assert len(completed) == 3, "no temporary file is left"
    modes = {mode for _, _, _, *found in killed for mode in found}
    assert modes == {0o600}
    for index in (1, 2):
        assert {each[index] for each in (*killed, completed)} == {old, completed[index]}


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


WRITE = """
from hello_queue.deployment.profiles import write_profile
new = {"aws_access_key_id": "NEW", "aws_secret_access_key": "NEW" * 1000}
write_profile("queue", credentials=new, config={"region": "new"}, overwrite=True)
"""


def test_concurrent_runs_leave_a_complete_file(tmp_path: Path) -> None:
    environment = {**os.environ, "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    environment["AWS_CONFIG_FILE"] = str(tmp_path / "config")
    running = [subprocess.Popen([sys.executable, "-c", WRITE], cwd=ROOT, env=environment) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert values(environment["AWS_SHARED_CREDENTIALS_FILE"], "queue")["aws_access_key_id"] == "NEW"
    assert list(tmp_path.glob(".*")) == []

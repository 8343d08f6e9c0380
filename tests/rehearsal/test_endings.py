"""A rehearsal that fails or is interrupted: one line, the exit status, and no process left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Aws
from tests.local_aws.test_launcher import eventually, needs_proc, processes, read_until
from tests.rehearsal.rehearsals import UNDEPLOYABLE, add_to_app, rehearsed, run
from tests.review.conftest import Repository

SCRIPT = [sys.executable, "scripts/rehearse.py"]


def test_an_unknown_base(repository: Repository) -> None:
    done = subprocess.run(
        [*SCRIPT, "--base", "nowhere\x1b[1m"], cwd=repository.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(r"rehearse.py: base 'nowhere\x1b[1m' is not a commit here")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("endpoint", ["", "https://sqs.us-east-1.amazonaws.com", "http://["])
def test_the_real_aws_is_refused(repository: Repository, endpoint: str) -> None:
    done = subprocess.run(
        [*SCRIPT, "--here", "--base=HEAD"],
        cwd=repository.folder,
        env={**os.environ, "AWS_ENDPOINT_URL": endpoint},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "rehearse.py: AWS_ENDPOINT_URL is not a local AWS: leave out --here\n"


@pytest.mark.soak
def test_a_change_and_then_a_base_that_does_not_deploy(empty_aws: Aws, repository: Repository) -> None:
    add_to_app(repository, UNDEPLOYABLE)
    seen = rehearsed(empty_aws, repository)
    assert seen.status == 1
    assert seen.disagreements == ["cdk deploy"]
    assert seen.observations[0]["about"] == "cdk deploy"
    assert "policy/none does not exist" in seen["cdk deploy"]["seen"]
    assert "HelloQueueIdentity is UPDATE_ROLLBACK_COMPLETE" in seen["cdk deploy"]["seen"]
    assert seen["messages in the queue"]["seen"] == "1,000 of 1,000 left"
    assert "none failed" in seen["a client sending"]["seen"]
    assert seen["cdk destroy"]["seen"] == "leaves nothing"

    repository.commit("the same as the base")
    done = run(empty_aws, repository)
    assert done.returncode == 1
    assert done.stdout == ""
    *progress, last = done.stderr.splitlines()
    assert progress == ["synthesizing the base and the change", "deploying the base"]
    assert last.startswith("rehearse.py: the base does not deploy: ")
    assert "policy/none does not exist" in last


@pytest.mark.soak
@needs_proc
@pytest.mark.parametrize(
    ("seen", "ended_by", "status"),
    [
        ("deploying the base", signal.SIGTERM, 143),
        ("deploying the change", signal.SIGINT, 130),
        ("going back", signal.SIGKILL, -9),
    ],
)
def test_an_interrupted_rehearsal(
    home: Path, repository: Repository, seen: str, ended_by: signal.Signals, status: int
) -> None:
    running = subprocess.Popen(
        [*SCRIPT, "--base=HEAD"],
        cwd=repository.folder,
        env={**os.environ, "TMPDIR": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    read_until(running, seen)
    os.kill(running.pid, ended_by)
    assert running.stdout is not None
    rest = running.stdout.read()
    assert running.wait(20) == status
    assert "Traceback" not in rest
    if ended_by != signal.SIGKILL:
        assert rest.splitlines()[-1] == "rehearse.py: interrupted"
    assert eventually(lambda: processes(home) == []), processes(home)
    assert eventually(lambda: list(home.iterdir()) == [])

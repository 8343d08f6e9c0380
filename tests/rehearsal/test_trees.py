"""The CDK CLI's environment, and the reason in its output."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hello_queue.errors import HelloQueueError
from hello_queue.rehearsal.trees import Tree, extract
from tests.review.conftest import Repository


def cdk_that(says: str, folder: Path) -> Tree:
    """A tree that is deployed by another `cdk`: what it prints is what a failure prints."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "cdk").write_text(f"#!/bin/sh\n{says}\n")
    (tools / "cdk").chmod(0o755)
    return Tree(folder, folder, "after")


@pytest.fixture
def _first_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "hello_queue.rehearsal.trees.environment_with_tools",
        lambda: {"PATH": f"{tmp_path}/tools:/usr/bin:/bin", "HOME": "/person", "GITHUB_TOKEN": "x", "AWS_REGION": "r"},
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:/usr/bin:/bin")


@pytest.mark.usefixtures("_first_on_path")
@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "S | 2/8 | 8:26 AM | CREATE_FAILED | AWS::IAM::Group | Another No such policy\nError: x",
            "S: AWS::IAM::Group Another No such policy",
        ),
        ("settings: delay_seconds: 901 is out of range\nError: x", "settings: delay_seconds: 901 is out of range"),
        ("an ERROR of the app\nERROR GroupName: must be unique\nSynthesis finished with errors", "an ERROR of the app"),
        ("Traceback\n  File x\nRuntimeError: a bug", "RuntimeError: a bug"),
        ("something\nelse", "else"),
        ("", "no output"),
    ],
)
def test_the_reason_of_a_failure(tmp_path: Path, output: str, reason: str) -> None:
    (tmp_path / "output").write_text(output)
    assert cdk_that(f"cat {tmp_path}/output; exit 1", tmp_path).deploy().failure == reason


@pytest.mark.usefixtures("_first_on_path")
def test_the_code_of_a_change_sees_the_local_aws_only(tmp_path: Path) -> None:
    assert cdk_that(f"env > {tmp_path}/env", tmp_path).deploy().failure is None
    seen = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert seen["AWS_REGION"] == "r"
    assert seen["HOME"] == str(tmp_path / "home")
    assert "GITHUB_TOKEN" not in seen
    assert "CDK_VALIDATION" not in seen
    assert Tree(tmp_path, tmp_path, "before", validated=False).deploy().failure is None
    assert "CDK_VALIDATION=false" in (tmp_path / "env").read_text().splitlines()


@pytest.mark.usefixtures("_first_on_path")
def test_a_cdk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hello_queue.rehearsal.trees.CDK_SECONDS", 0.5)
    failure = cdk_that("exec sleep 30", tmp_path).deploy().failure
    assert failure == "cdk deploy took longer than 0.5 s"


def test_the_files_of_a_commit(repository: Repository, tmp_path: Path) -> None:
    """Those of the commit, not those of the working tree; and the repository stays as it is."""
    repository.write("app.py", "changed")
    status = repository.git("status", "--short")
    extract("HEAD", repository.folder, tmp_path / "base")
    assert "SettingsError" in (tmp_path / "base/app.py").read_text()
    assert repository.git("status", "--short") == status
    assert repository.git("worktree", "list").count("\n") == 1


def test_a_commit_that_is_not_there(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(HelloQueueError, match="the files of nowhere cannot be read"):
        extract("nowhere", repository.folder, tmp_path / "base")
    assert subprocess.run(["ls", str(tmp_path / "base")], capture_output=True, check=True).stdout == b""

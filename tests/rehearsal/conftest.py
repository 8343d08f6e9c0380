"""Rehearsals of a copy of the project."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Aws
from tests.review.conftest import Repository


@dataclass(frozen=True)
class Rehearsed:
    """The report of a rehearsal, by what each observation is about."""

    status: int
    observations: list[dict[str, Any]]
    markdown: str

    def __getitem__(self, about: str) -> dict[str, Any]:
        (found,) = [each for each in self.observations if each["about"] == about]
        return found

    @property
    def disagreements(self) -> list[str]:
        return [each["about"] for each in self.observations if each["agrees"] is False]


def run(aws: Aws, repository: Repository, *options: str) -> subprocess.CompletedProcess[str]:
    """Rehearse what is not committed, in a local AWS that is running."""
    return subprocess.run(
        [sys.executable, "scripts/rehearse.py", "--here", "--base=HEAD", *options],
        cwd=repository.folder,
        env=aws.instance.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def rehearsed(aws: Aws, repository: Repository) -> Rehearsed:
    """Rehearse it, and read the reports."""
    done = run(aws, repository, "--json", "--markdown=rehearsal.md")
    assert done.stdout, done.stderr
    markdown = (repository.folder / "rehearsal.md").read_text()
    return Rehearsed(done.returncode, json.loads(done.stdout)["observations"], markdown)


@pytest.fixture(scope="module")
def rehearsing(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Repository]:
    """Copies of the project."""
    return lambda: Repository(Path(tmp_path_factory.mktemp("rehearsed")) / "repository")

"""Rehearsals of copies of the project."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

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


UNDEPLOYABLE = (
    "cdk.aws_iam.CfnGroup(app.node.find_child(names.prefixed(IDENTITY_STACK)), 'Another', "
    "managed_policy_arns=['arn:aws:iam::111122223333:policy/none'])"
)
"""Can be synthesized and reviewed, and is refused when it is deployed: there is no such policy."""


def add_to_app(repository: Repository, line: str) -> None:
    """Have the app run this line."""
    path = repository.folder / "app.py"
    before = path.read_text()
    mark = "    workers.add_stack_dependency(messaging)\n"
    assert mark in before
    path.write_text(before.replace(mark, f"{mark}    {line}\n"))

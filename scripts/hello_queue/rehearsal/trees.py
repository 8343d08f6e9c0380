"""The base and the change as folders, and the CDK CLI that deploys and destroys them.

Their code is a stranger's: it runs with the local AWS's variables only, and without a home folder of the caller's.
"""

from __future__ import annotations

import json
import subprocess
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hello_queue.errors import HelloQueueError
from hello_queue.project import environment_with_tools

CDK_SECONDS = 120
"""How long one run of the CDK CLI may take. It takes 5 s, and 25 s the first time that the CDK runs on a machine."""

_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "NODE_EXTRA_CA_CERTS", "NO_UPDATE_NOTIFIER")
_KEPT_PREFIXES = ("AWS_", "CDK_", "JSII_")
"""In a local AWS these lead to it, and nowhere else: see `hello_queue.local_aws.instance`."""


@dataclass(frozen=True)
class CdkRun:
    """A run of the CDK CLI.

    Attributes:
        seconds: how long it took.
        failure: None, or why it failed: the line of its output that says so.
    """

    seconds: float
    failure: str | None


class Tree:
    """A state of the project: the base or the change.

    Args:
        folder: its files.
        work: an existing folder for what it writes.
        name: which it is, a file name.
        validated: whether cdk-nag looks at it, which takes a second or two.
    """

    def __init__(self, folder: Path, work: Path, name: str, *, validated: bool = True) -> None:
        self._folder = folder
        self._work = work
        self._name = name
        self._validation = {} if validated else {"CDK_VALIDATION": "false"}

    @property
    def assembly(self) -> Path:
        """The cloud assembly: its templates are there after the first `deploy`."""
        return self._work / f"{self._name}.out"

    def deploy(self) -> CdkRun:
        """Deploy all stacks. The app runs the first time only."""
        app = ["--app", str(self.assembly)] if (self.assembly / "manifest.json").exists() else []
        output = [] if app else ["--output", str(self.assembly)]
        return self._cdk("deploy", "--all", "--require-approval=never", *app, *output)

    def destroy(self) -> CdkRun:
        """Destroy all stacks of the assembly."""
        return self._cdk("destroy", "--all", "--force", "--app", str(self.assembly))

    def stacks(self) -> dict[str, Mapping[str, Any]]:
        """The templates by stack name. Empty if nothing was synthesized."""
        found = {}
        for path in sorted(self.assembly.rglob("*.template.json")):
            template = json.loads(path.read_text())
            if template.get("Resources"):  # the CDK deploys no empty stack
                found[path.name.removesuffix(".template.json")] = template
        return found

    def _cdk(self, *arguments: str) -> CdkRun:
        log = self._work / f"{self._name}.log"
        begun = time.monotonic()
        # A file instead of a pipe, which a process that the app leaves behind would hold open.
        with log.open("wb") as output:
            try:
                done = subprocess.run(
                    ["cdk", *arguments, "--no-color"],
                    cwd=self._folder,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    timeout=CDK_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return CdkRun(time.monotonic() - begun, f"cdk {arguments[0]} took longer than {CDK_SECONDS} s")
        seconds = time.monotonic() - begun
        return CdkRun(seconds, _reason(log.read_text(errors="replace")) if done.returncode else None)

    def _environment(self) -> dict[str, str]:
        home = self._work / "home"
        home.mkdir(exist_ok=True)
        ours = {
            name: value
            for name, value in environment_with_tools().items()
            if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIXES) or name.lower().endswith("_proxy")
        }
        # The editable installation of this project would lead the base's app to the change's package.
        package = str(self._folder / "scripts")
        return {
            **ours,
            **self._validation,
            "HOME": str(home),
            "PYTHONPATH": package,
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def extract(commit: str, root: Path, folder: Path) -> None:
    """Write the files of a commit to a new folder. The repository stays as it is, also if this is killed.

    Args:
        commit: its hash.
        root: the working tree.

    Raises:
        HelloQueueError: git cannot read it.
    """
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    for command in (
        ["git", "-C", str(root), "archive", "--format=tar", f"--output={archive}", commit],
        ["tar", "-x", "-f", str(archive), "-C", str(folder)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise HelloQueueError(f"the files of {commit} cannot be read: {done.stderr.strip()}")
    archive.unlink()


def _reason(output: str) -> str:
    """The line of the CDK CLI's output that says why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for marks in (
        ("CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"),
        ("settings: ",),
        ("ERROR ",),
        ("Error", "error"),
    ):
        if found := [line for line in lines if any(mark in line for mark in marks)]:
            stack, *columns = (part.strip() for part in found[0].split(" | "))
            return textwrap.shorten(f"{stack}: {' '.join(columns[-2:])}" if columns else stack, 300, placeholder=" …")
    return lines[-1] if lines else "no output"

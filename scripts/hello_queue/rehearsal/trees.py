"""The base and the change: what their apps synthesize, and the CDK CLI that deploys and destroys it.

Their code is a stranger's. It runs as in a review, without network and credentials, and has ended before the CDK CLI
deploys what it wrote. So it can neither reach the local AWS nor leave a process behind.
"""

from __future__ import annotations

import subprocess
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

from hello_queue.errors import HelloQueueError, UsageError
from hello_queue.project import environment_with_tools
from hello_queue.review.assembly import Synthesis, Templates
from hello_queue.review.synthesis import DEFAULT, REVIEWED, Variants, synthesize

DEPLOYED: Variants = {DEFAULT: REVIEWED[DEFAULT]}
"""The variant that a rehearsal deploys."""

CDK_SECONDS = 120
"""How long one run of the CDK CLI may take. It takes about 5 s."""


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
    """A state of the project, synthesized: the base or the change.

    Args:
        name: which it is, such as ``the base``.
        folder: its files.
        work: a new folder for what its app and the CDK CLI write.

    Raises:
        HelloQueueError: its app fails.
    """

    def __init__(self, name: str, folder: Path, work: Path) -> None:
        self._work = work
        work.mkdir()
        app = work / "app"
        app.mkdir()
        try:
            self.synthesis: Synthesis = synthesize(DEPLOYED, folder, directory=app)[DEFAULT]
        except UsageError as error:
            raise HelloQueueError(f"{name} cannot be deployed: {error}".replace(str(folder), name)) from None
        self._assembly = app / "0"

    @property
    def templates(self) -> Templates:
        """The templates by stack name, without stacks that the CDK does not deploy because they are empty."""
        return self.synthesis.templates

    def deploy(self) -> CdkRun:
        """Deploy all stacks."""
        return self._cdk("deploy", "--require-approval=never")

    def destroy(self) -> CdkRun:
        """Destroy all stacks."""
        return self._cdk("destroy", "--force")

    def _cdk(self, command: str, option: str) -> CdkRun:
        log = self._work / "cdk.log"
        begun = time.monotonic()
        with log.open("wb") as output:
            try:
                # Not in the project's folder: its cdk.json could have the CDK CLI load a plugin.
                done = subprocess.run(
                    ["cdk", command, "--all", option, "--app", self._assembly, "--no-notices", "--no-color"],
                    cwd=self._work,
                    env=environment_with_tools() | {"HOME": str(self._work)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    timeout=CDK_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return CdkRun(time.monotonic() - begun, f"cdk {command} took longer than {CDK_SECONDS} s")
        seconds = time.monotonic() - begun
        return CdkRun(seconds, _reason(log.read_text(errors="replace")) if done.returncode else None)


def _reason(output: str) -> str:
    """The line of the CDK CLI's output that says why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for marks in (("CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"), ("Error", "error")):
        if found := [line for line in lines if any(mark in line for mark in marks)]:
            stack, *columns = (part.strip() for part in found[0].split(" | "))
            return textwrap.shorten(f"{stack}: {' '.join(columns[-2:])}" if columns else stack, 300, placeholder=" …")
    return lines[-1] if lines else "no output"

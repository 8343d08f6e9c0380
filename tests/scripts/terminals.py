"""A script with a person at its terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from hello_queue.project import ROOT
from tests.conftest import NO_CHANGES, Aws, Environment


def typed(
    aws: Aws, answer: str, name: str, *arguments: str, env: Environment = NO_CHANGES
) -> subprocess.CompletedProcess[str]:
    """Run a script, with this text typed on its terminal."""
    controller, terminal = pty.openpty()
    variables = {**aws.instance.environment(), **env}
    try:
        os.write(controller, answer.encode())
        return subprocess.run(
            [sys.executable, f"scripts/{name}", *arguments],
            cwd=ROOT,
            env={name: value for name, value in variables.items() if value is not None},
            stdin=terminal,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(controller)
        os.close(terminal)

"""Scripts without AWS."""

from __future__ import annotations

import subprocess
import sys

from hello_queue.project import ROOT

OFFLINE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "x",
}
"""The environment of a script: each call of AWS is a refused connection."""


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run scripts as a shell does, without AWS."""
    return subprocess.run(
        ["sh", "-c", command.replace("python ", f"{sys.executable} ")],
        cwd=ROOT,
        env=OFFLINE,
        capture_output=True,
        text=True,
        check=False,
    )

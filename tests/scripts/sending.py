"""What the tests of send.py share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.faults import FaultyPath


def start_send(aws: Aws, *arguments: str, path: FaultyPath | None = None, **options: Any) -> subprocess.Popen[str]:
    """Start send.py as a process, over the faulty path if one is given."""
    variables = {**aws.instance.environment(), **(path.variables() if path else {})}
    command = [sys.executable, "scripts/send.py", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=variables, **{**pipes, **options})


def lines_file(tmp_path: Path, *lines: str) -> Path:
    """A file with these lines."""
    file = tmp_path / "lines"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file

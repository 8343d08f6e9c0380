"""What the tests of send.py share."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.faults import FaultyPath


def unmeasured(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process whose files cannot grow: coverage could not write its data either."""
    return {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}


def start_send(
    aws: Aws, *arguments: str, path: FaultyPath | None = None, file_limit: int | None = None, **options: Any
) -> subprocess.Popen[str]:
    """Start send.py as a process, over the faulty path if one is given, with files of limited size."""
    variables = {**aws.instance.environment(), **(path.variables() if path else {})}
    if file_limit is not None:
        variables = unmeasured(variables)
        options["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    command = [sys.executable, "scripts/send.py", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=variables, **{**pipes, **options})


def lines_file(tmp_path: Path, *lines: str) -> Path:
    """A file with these lines."""
    file = tmp_path / "lines"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file

"""process.py as a process, with a handler that notes what it has handled in a file."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hello_queue.project import ROOT
from tests.conftest import Aws

HANDLERS = ROOT / "tests/sqs"
TEXTS = [f"{index:04}" for index in range(300)]


class Worker:
    """Runs process.py with one of the handlers in tests/sqs/handling.py.

    Attributes:
        process: the process; it is the leader of its own process group.
        output: what it has printed to stdout, after `end`.
    """

    def __init__(self, aws: Aws, directory: Path, queue: str, handler: str, *arguments: str, **variables: str) -> None:
        self.ledger = directory / "ledger"
        self.output = ""
        environment = {
            **aws.instance.environment(),
            "PYTHONPATH": str(HANDLERS),
            "LEDGER": str(self.ledger),
            **variables,
        }
        command = [sys.executable, "scripts/process.py", "--queue-url", queue, "--handler", f"handling:{handler}"]
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def handled(self) -> list[str]:
        """The bodies, in the order in which they were handled."""
        return [line.split(" ", 3)[3] for line in self._lines()]

    def processes(self) -> set[str]:
        """The ids of the processes that have handled messages."""
        return {line.split(" ", 1)[0] for line in self._lines()}

    def end(self, timeout: float = 60) -> str:
        """Wait until it ends. Returns what it has printed to stderr."""
        self.output, errors = self.process.communicate(timeout=timeout)
        return errors

    def _lines(self) -> list[str]:
        return self.ledger.read_text().splitlines() if self.ledger.exists() else []


def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)

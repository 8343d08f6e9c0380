"""The memory of send.py does not grow with the file that it sends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hello_queue.benchmark.endpoint import Endpoint, endpoint
from hello_queue.project import ROOT

MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""A small process between: a child's largest resident set includes what its parent had when it was forked."""


def peak(server: Endpoint, directory: Path, lines: int) -> float:
    """The largest resident set of send.py while it sends a file of this many lines, in MB."""
    file = directory / "lines"
    file.write_text(f"{'x' * 100}\n" * lines)
    server.reset(messages=0, size=100, delay=0)
    variables = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "none",
        "NO_PROXY": "127.0.0.1",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "scripts/send.py", "--file", str(file), "--stats=0", "--queue-url", server.queue_url]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command],
        cwd=ROOT,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert server.counts()["sent"] == lines
    return int(done.stdout.split()[-1]) / (1 << 20 if sys.platform == "darwin" else 1 << 10)


@pytest.mark.soak
def test_twenty_times_the_lines_take_no_more_memory(tmp_path: Path) -> None:
    with endpoint() as (server, _):
        few, many = (peak(server, tmp_path, lines) for lines in (20_000, 400_000))
    print(f"\n{few:.0f} MB for 20,000 lines, {many:.0f} MB for 400,000")
    assert many < few + 4  # the lines alone are 40 MB

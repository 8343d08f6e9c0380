"""Scripts without AWS: in a shell, or in the process of the tests."""

from __future__ import annotations

import functools
import importlib.util
import signal
import subprocess
import sys
from types import ModuleType

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


@functools.cache
def load(script: str) -> ModuleType:
    """The script as a module. Its handling of Ctrl-C is not for this process."""
    name = f"script_{script.removesuffix('.py')}"
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / script)
    assert spec
    assert spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    handler = signal.getsignal(signal.SIGINT)
    spec.loader.exec_module(module)
    signal.signal(signal.SIGINT, handler)
    return module

"""Scripts in the process of the tests: one of their own takes half a second to start."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import ModuleType
from unittest import mock

import pytest

from hello_queue.project import ROOT
from tests.conftest import NO_CHANGES, Aws, Environment


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


def run(script: str, *arguments: str) -> int:
    """Run the script as a command, with this process's environment and streams. Returns its exit status."""
    module = load(script)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", [f"scripts/{script}", *arguments])
        with pytest.raises(SystemExit) as ended:
            module.run(module.main)
    status = ended.value.code
    assert isinstance(status, int)
    return status


def run_against(
    aws: Aws, script: str, *arguments: str, check: bool = True, env: Environment = NO_CHANGES
) -> subprocess.CompletedProcess[str]:
    """What `Aws.script` does, in this process. What the script does to its environment ends with it."""
    environment = {**aws.instance.environment(), **env}
    variables = {name: value for name, value in environment.items() if value is not None}
    with (
        mock.patch.dict(os.environ, variables, clear=True),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        status = run(script, *arguments)
    if check and status:
        pytest.fail(f"{script} {' '.join(arguments)} ended with {status}:\n{out.getvalue()}\n{err.getvalue()}")
    return subprocess.CompletedProcess([script, *arguments], status, out.getvalue(), err.getvalue())


def set_environment(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str | None]) -> None:
    """Set variables of this process's environment; None removes one."""
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)

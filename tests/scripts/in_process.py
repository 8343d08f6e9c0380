"""Scripts in the process of the tests: one of their own takes half a second to start."""

from __future__ import annotations

import functools
import importlib.util
import signal
import sys
from collections.abc import Mapping
from types import ModuleType

import pytest

from hello_queue.project import ROOT


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


def set_environment(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str | None]) -> None:
    """Set variables of this process's environment; None removes one."""
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)

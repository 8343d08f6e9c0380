"""A repository to review."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from hello_queue.cli.main import run
from hello_queue.project import ROOT
from hello_queue.review import changes, rules_of_guards, working_tree
from hello_queue.review.assembly import Template
from hello_queue.review.synthesis import DEFAULT, REVIEWED, VARIANTS, Variants, synthesize
from tests.conftest import locked

ONE: Variants = {DEFAULT: {}}
"""Quicker than all variants. The golden files of the others are out of date then."""

_VIOLATIONS = rules_of_guards._violations

OFFLINE = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}


class Syntheses:
    """What the app synthesizes in a tree, and what cdk-nag finds: once in a test run for all trees that are alike."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def synthesize(self, variants: Variants, root: Path, **_: bool) -> dict[str, Any]:
        code = [root / "app.py", root / "cdk.json", root / "cdk.context.json"]
        code += sorted(path for name in ("stacks", "scripts") for path in (root / name).rglob("*.py"))
        content = [(str(path.relative_to(root)), path.read_text()) for path in code if path.exists()]
        found: dict[str, Any] = self._once((content, variants), lambda: synthesize(variants, root, must_be_valid=False))
        return found

    def violations(self, templates: list[Template]) -> list[set[tuple[str, str]]]:
        found: list[set[tuple[str, str]]] = self._once(templates, lambda: _VIOLATIONS(templates))
        return found

    def _once(self, key: object, make: Callable[[], Any]) -> Any:
        self._folder.mkdir(exist_ok=True)
        kept = self._folder / hashlib.sha256(repr(key).encode()).hexdigest()
        with locked(kept):
            if not kept.exists():
                kept.write_bytes(pickle.dumps(make()))
        return pickle.loads(kept.read_bytes())  # noqa: S301  (this test run wrote it)


class CdkDiff:
    """The CDK's diff in one process for all tests: it starts in half a second."""

    def __init__(self) -> None:
        command = ["node", changes.__file__.replace(".py", ".cjs")]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def compared(self, templates: list[dict[str, Template]]) -> list[dict[str, Any]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(templates) + "\n")
        self._process.stdin.flush()
        found: list[dict[str, Any]] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="session", autouse=True)
def _one_cdk_diff() -> Iterator[None]:
    diff = CdkDiff()
    with mock.patch.object(changes, "_compared", diff.compared):
        yield
    diff.close()


def _script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"script_{name}", ROOT / f"scripts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Repository:
    """A copy of the project under git, with one commit."""

    def __init__(self, folder: Path, syntheses: Syntheses) -> None:
        self.folder, self._syntheses = folder, syntheses

    @staticmethod
    def make(folder: Path) -> None:
        """Copy the project, and commit it."""
        ignored = shutil.ignore_patterns("__pycache__", "node_modules", "*.egg-info")
        for name in ("stacks", "scripts", "tests/golden"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in ("app.py", "cdk.json"):
            shutil.copy(ROOT / name, folder)
        (folder / "node_modules").symlink_to(ROOT / "node_modules")
        (folder / ".gitignore").write_text("node_modules\n__pycache__\n")
        made = Repository(folder, Syntheses(folder.with_suffix(".syntheses")))
        made.git("init", "--quiet", "--initial-branch=main")
        made.commit("the base")

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def write(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text)

    def set(self, **settings: object) -> None:
        """Set settings in cdk.json."""
        content = json.loads((self.folder / "cdk.json").read_text())
        content["context"] |= settings
        self.write("cdk.json", json.dumps(content))

    def add_to_app(self, code: str) -> None:
        """Have the app run this code before it is synthesized."""
        path = self.folder / "app.py"
        more = f"""
build_before = build


def build(**options):
    app = build_before(**options)
{textwrap.indent(code, "    ")}
    return app


main()
"""
        start = 'if __name__ == "__main__":\n    main()\n'
        path.write_text(path.read_text().replace(start, more))

    def accept(self, finding: str, reason: str) -> None:
        path = self.folder / "tests/golden/accepted.yaml"
        before = path.read_text() if path.exists() else ""
        path.write_text(f"{before}- finding: '{finding}'\n  reason: {reason}\n")

    def review(self, *arguments: str, base: str = "HEAD", variants: Variants = ONE) -> subprocess.CompletedProcess[str]:
        """Run review.py on this repository, in this process, without AWS variables and network."""
        script = _script("review")
        with (
            mock.patch.object(working_tree, "REVIEWED", variants),
            mock.patch.object(working_tree, "synthesize", self._syntheses.synthesize),
            mock.patch.object(rules_of_guards, "_violations", self._syntheses.violations),
        ):
            return self._run(["review.py", f"--base={base}", *arguments], lambda: script.main(self.folder))

    def golden(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run golden.py on this repository, in this process."""
        script = _script("golden")
        syntheses = self._syntheses.synthesize(REVIEWED, self.folder)
        with (
            mock.patch.object(script, "ROOT", self.folder),
            mock.patch.object(script, "synthesize", return_value={name: syntheses[name] for name in VARIANTS}),
        ):
            return self._run(["golden.py", *arguments], script.main)

    def _run(self, command: list[str], main: Callable[[], int]) -> subprocess.CompletedProcess[str]:
        output, errors, status = io.StringIO(), io.StringIO(), 0
        with (
            mock.patch.object(sys, "argv", command),
            mock.patch.dict(os.environ, _bare(), clear=True),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            try:
                run(main)
            except SystemExit as exit_:
                status = int(exit_.code or 0)
        return subprocess.CompletedProcess(command, status, output.getvalue(), errors.getvalue())

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script of this repository's own copy as a process."""
        command = [sys.executable, f"scripts/{name}", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=_bare(), capture_output=True, text=True, timeout=120, check=False
        )


def _bare() -> Mapping[str, str]:
    return {**{name: value for name, value in os.environ.items() if not name.startswith("AWS_")}, **OFFLINE}


@pytest.fixture
def repository(tmp_path: Path, shared_folder: Path) -> Repository:
    """The project, of which a test run makes one copy, and each test a copy of that."""
    original, folder = shared_folder / "repository", tmp_path / "repository"
    with locked(original):
        if not original.exists():
            Repository.make(original)
    shutil.copytree(original, folder, symlinks=True)
    return Repository(folder, Syntheses(original.with_suffix(".syntheses")))

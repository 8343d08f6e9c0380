"""What no synthesis shows: code that can tell a deployment from a review, and what is installed to deploy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hello_queue.review.findings import Finding, Note
from hello_queue.review.rules_of_guards import other_code, reviewers
from hello_queue.review.rules_of_sources import installed, telltale

CODE = "import os\nfrom pathlib import Path\nfound = os.path.exists(Path('a'))\nif found == 'x':\n    pass\n"


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ("on = os.environ.get('CI')", "os.environ"),
        ("from os import environ as e\non = e['CI']", "os.environ"),
        ("import os as o\non = o.environ", "os.environ"),
        ("o = os\non = o.environ", ".environ, os"),
        ("on = os.path.exists('/deployed')", ".exists, os.path"),
        ("import time\non = time.time() > 1", "time.time"),
        ("from datetime import date\non = date.today()", "datetime.date.today"),
        ("import sys\non = sys.argv", "sys.argv"),
        ("on = Path.home()", ".home"),
        ("on = open('/etc/hostname')", "open"),
        ("on = app.outdir", ".outdir"),
        ("from shutil import os as more\non = more.environ", ".environ"),
        ("on = __builtins__.input", "__builtins__"),
        ("on = app.node.try_get_context('aws:cdk:bundling-stacks')", ".try_get_context"),
        ("on = names.deployment == 'prod'", "the comparison with 'prod'"),
        ("on = names.deployment in ('prod', 'live')", "the comparison with 'live', the comparison with 'prod'"),
        ("on = names.deployment.startswith('prod')", "the comparison with 'prod'"),
        ("from hello_queue.project import environment_with_tools\nenvironment_with_tools()", None),
        ("on = settings.delay_seconds == 7", "the comparison with 7"),
        ("on = settings.delay_seconds >= 800", "the comparison with 800"),
        ("match found:\n    case 7:\n        pass", "the comparison with 7"),
        ("on = names.deployment.encode() == b'prod'", "the comparison with b'prod'"),
        ("on = len(found) > 1 or found in (None, True, '')", ""),
        ("def again(found):\n    return found == 'x'", ""),
        ("import math, enum\nfrom dataclasses import dataclass\nfrom stacks.names import Names\non = math.pi", ""),
        ("from hello_queue.constants import IDENTITY_STACK\non = IDENTITY_STACK", ""),
        ("x = (", ""),
    ],
)
def test_code_that_can_tell_a_deployment_from_a_review(tmp_path: Path, more: str, names: str | None) -> None:
    before = written(tmp_path / "before", {"app.py": CODE, "stacks/a.py": ""})
    after = written(tmp_path / "after", {"app.py": CODE, "stacks/a.py": CODE.partition("found")[0] + more})
    names = "hello_queue.project.environment_with_tools" if names is None else names
    expected = [f"weaker-review: the app may do something else on deployment than here: it uses {names}"]
    found = list(telltale(before, after))
    assert [finding.id for finding in found] == (expected if names else [])
    assert [finding.stack for finding in found] == ["stacks/a.py"] * bool(names)


def test_code_that_moves_tells_nothing_new(tmp_path: Path) -> None:
    before = written(tmp_path / "before", {"app.py": CODE, "stacks/a.py": ""})
    after = written(tmp_path / "after", {"app.py": "", "stacks/parts/b.py": CODE})
    assert list(telltale(before, after)) == []


REQUIREMENTS = "# What runs\na==1.0\nb[x]==2.0 ; sys_platform != 'win32' # the loop\n"
LOCK = "a==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via b\n"
MAKEFILE = """\
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: review
review: setup
	@$(BIN)/python scripts/review.py
setup: .venv/installed
.venv/installed: requirements.txt
	@pip x
test: setup
	@pytest
help:
	@echo 'x'
"""
CI = """\
on: [push]
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu
    steps:
  - run: make test
"""
PACKAGE = {"description": "x", "devDependencies": {"cdk": "2.0.1"}}
REGISTRY = "https://registry.npmjs.org/cdk/-/cdk"
PACKAGES = {"packages": {"n/cdk": {"version": "2", "resolved": f"{REGISTRY}-2.tgz", "integrity": "sha512-a"}}}


def packages(**changes: object) -> str:
    return json.dumps({"packages": {"n/cdk": {**PACKAGES["packages"]["n/cdk"], **changes}}})


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("requirements.txt", REQUIREMENTS, REQUIREMENTS.replace("a==1.0", "a==1.1"), ""),
        ("requirements.txt", REQUIREMENTS, REQUIREMENTS + "botto3==1.0\n", "botto3==1.0"),
        ("requirements.txt", REQUIREMENTS, "--index-url https://x\n" + REQUIREMENTS, "--index-url https://x"),
        ("requirements.txt", REQUIREMENTS, REQUIREMENTS.replace("a==1.0", "a @ https://x"), "a @ https://x"),
        ("requirements-dev.txt", REQUIREMENTS, REQUIREMENTS.replace("a==1.0", "a>=1"), "a>=1"),
        ("requirements.lock", LOCK, LOCK.replace("1.0", "1.1").replace("0" * 64, "1" * 64), ""),
        ("requirements.lock", LOCK, LOCK + "-e git+https://x", "-e git+https://x"),
        ("Makefile", MAKEFILE, MAKEFILE + "more: setup\n\t@true\n", ""),
        ("Makefile", MAKEFILE, MAKEFILE.replace("'x'", "'y'").replace("PHONY:", "PHONY: more"), ""),
        ("Makefile", MAKEFILE, MAKEFILE.replace("review.py", "review.py --fail-on none"), "review"),
        ("Makefile", MAKEFILE, MAKEFILE.replace("'x'", "'x'; curl x"), "help"),
        ("Makefile", MAKEFILE, MAKEFILE.replace(".venv/bin", "other"), "variables"),
        ("Makefile", MAKEFILE, "include x\n" + MAKEFILE, "variables"),
        ("Makefile", MAKEFILE, MAKEFILE.replace("pytest", "pytest -x"), "note: other commands changed: test"),
        ("Makefile", MAKEFILE, MAKEFILE.replace("pip x", "pip y"), ".venv/installed"),
        ("Makefile", MAKEFILE, MAKEFILE.replace(": setup", ": test"), "review, test"),
        (".github/workflows/ci.yml", CI, f"{CI}  - run: make soak\n", "note: what CI checks changed"),
        (".github/workflows/new.yml", "", CI, "note: what CI checks changed"),
        (".github/workflows/ci.yml", CI, "", "note: what CI checks changed"),
        (".github/workflows/ci.yml", CI, CI.partition("permissions:")[0], "this file"),
        (".github/workflows/ci.yml", CI, CI.replace(": read", ":  write"), "this file"),
        (".github/workflows/ci.yml", CI, f"{CI}  - run: curl ${{{{ secrets.KEY }}}}\n", "this file"),
        (".github/workflows/ci.yml", CI, CI.replace("[push]", "[pull_request_target]"), "this file"),
        (".github/workflows/ci.yml", CI, CI.replace("ubuntu", "self-hosted"), "this file"),
        (".github/workflows/ci.yml", CI.replace("test", "deploy"), CI, "this file"),
        (".github/CODEOWNERS", "a", "b", "this file"),
        (".ci/run", "make test", "make test lint", "note: what CI checks changed"),
        (".ci/run", "make test", "make test; npx cdk deploy", "this file"),
        ("docs/a.md", "a", "b", ""),
        ("package.json", json.dumps(PACKAGE), json.dumps({**PACKAGE, "devDependencies": {"cdk": "2.0.2"}}), ""),
        ("package.json", json.dumps(PACKAGE), json.dumps({**PACKAGE, "description": "y"}), ""),
        ("package.json", json.dumps(PACKAGE), json.dumps({**PACKAGE, "scripts": {"install": "x"}}), "something else"),
        ("package.json", json.dumps(PACKAGE), json.dumps({"devDependencies": {"cdk": "git:x"}}), "from elsewhere"),
        ("package.json", json.dumps(PACKAGE), "{", "no JSON"),
        ("package-lock.json", packages(), packages(version="3", resolved=f"{REGISTRY}-3.tgz", integrity="b"), ""),
        ("package-lock.json", packages(), packages(engines={"node": "20"}), ""),
        ("package-lock.json", packages(), packages(resolved="https://x/cdk/-/cdk-2.tgz"), "from elsewhere"),
        ("package-lock.json", packages(), packages(hasInstallScript=True), "runs code when installed"),
        ("package-lock.json", packages(), packages(integrity=None), "no longer checks"),
        ("package-lock.json", "{}", packages(), "a package that was not there"),
    ],
)
def test_what_is_installed_or_checked(tmp_path: Path, name: str, old: str, new: str, expected: str) -> None:
    before, after = written(tmp_path / "before", {name: old}), written(tmp_path / "after", {name: new})
    found = list(installed(before, after, [name]))
    if expected.startswith("note: "):
        (note,) = found
        assert isinstance(note, Note)
        assert note.text.startswith(expected.removeprefix("note: "))
        return
    assert len(found) == bool(expected)
    for finding in found:
        assert isinstance(finding, Finding)
        assert finding.kind == "weaker-review"
        assert expected in finding.what
        assert name in (finding.stack, finding.what)


def test_comments_of_a_worker_are_not_other_code() -> None:
    old, new = {"Code": {"a.py": "x = 1  # one\n"}}, {"Code": {"a.py": "# more\nx = (\n    1\n)\n"}}
    assert list(other_code(old, new)) == [Note("Code", "only comments or the layout of a.py changed")]
    for text in ("x = 2", "x = (", "# coding: utf-7\nx = 1"):
        (found,) = other_code({"Code": {"a.py": "x = 1  # one\n"}}, {"Code": {"a.py": text}})
        assert isinstance(found, Finding) == (text != "# coding: utf-7\nx = 1")
    (found,) = other_code({"Code": {"a.py": "x = '+AGE-'"}}, {"Code": {"a.py": "# coding: utf-7\nx = '+AGE-'"}})
    assert isinstance(found, Finding), "another encoding is other code"


def test_whatever_a_review_imports_is_part_of_it() -> None:
    (found,) = reviewers(["scripts/hello_queue/cli/terminal.py"])
    assert found.after == "scripts/hello_queue/cli/terminal.py"

"""The README is up to date: its generated parts, and the files and targets that it names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.generated import README, pictures, pieces, refreshed


def test_the_generated_parts_are_up_to_date(empty_aws: Aws) -> None:
    empty_aws.cdk("deploy")
    text = README.read_text()
    assert refreshed(text, pieces(empty_aws)) == text, "README.md is stale: run `make docs`"
    for path, content in pictures(empty_aws).items():
        assert path.read_text() == content, f"{path.name} is stale: run `make docs`"


def test_a_place_without_a_part() -> None:
    with pytest.raises(ValueError, match="'b'"):
        refreshed("<!-- generated: b -->\n<!-- end -->", {"a": ""})


def test_the_files_and_targets_that_it_names_exist() -> None:
    text = README.read_text()
    for script in re.findall(r"scripts/\w+\.py", text):
        assert (ROOT / script).exists(), script
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"`make (\w+)`|^make (\w+)", text, re.MULTILINE):
        assert "".join(target) in targets, target


def test_every_script_is_in_it() -> None:
    text = README.read_text()
    for script in (ROOT / "scripts").glob("*.py"):
        assert script.name in text or script.name in (ROOT / "Makefile").read_text(), script


def test_the_linters_accept_its_workflow(tmp_path: Path) -> None:
    """People copy the example of a deployment workflow."""
    workflows = re.findall(r"```yaml\n(name: .+?)```", README.read_text(), re.DOTALL)
    assert len(workflows) == 1
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "deploy.yml").write_text(workflows[0])
    (tmp_path / "lint.mjs").write_text((ROOT / "tests/lint_workflows.mjs").read_text())
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    for command in (["node", "lint.mjs"], ["zizmor", "--offline", "--quiet", ".github/workflows"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

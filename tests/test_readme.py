"""The README and docs/ are up to date: the generated parts, and the files, targets and pages that they name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.generated import DOCUMENTS, README, pictures, pieces, refreshed


def test_the_generated_parts_are_up_to_date(empty_aws: Aws) -> None:
    empty_aws.deploy()
    texts = {path: path.read_text() for path in DOCUMENTS}
    for path, text in {**refreshed(texts, pieces(empty_aws)), **pictures(empty_aws)}.items():
        assert path.read_text() == text, f"{path.name} is stale: run `make docs`"


@pytest.mark.parametrize("generated", [{}, {"a": "", "b": ""}])
def test_a_place_without_a_part_and_a_part_without_a_place(generated: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="'a'"):
        refreshed({README: "<!-- generated: a -->\n<!-- end -->"}, generated)


def test_a_part_can_have_several_places() -> None:
    text = "<!-- generated: a -->\nold\n<!-- end -->\n"
    new = "<!-- generated: a -->\nnew\n<!-- end -->\n"
    assert refreshed({README: text * 2, ROOT: text}, {"a": "new\n"}) == {README: new * 2, ROOT: new}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_files_targets_and_pages_that_it_names_exist(document: Path) -> None:
    text = document.read_text()
    for module in re.findall(r"(?<![\w./])(?:scripts|stacks|tests)/[\w/]+\.py", text):
        assert (ROOT / module).exists(), module
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"`make (\w+)`|^make (\w+)", text, re.MULTILINE):
        assert "".join(target) in targets, target
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert link.startswith("https://") or (document.parent / link).exists(), link


def test_every_script_and_page_is_in_the_readme() -> None:
    text = README.read_text()
    for script in (ROOT / "scripts").glob("*.py"):
        assert script.name in text or script.name in (ROOT / "Makefile").read_text(), script
    for page in DOCUMENTS[1:]:
        assert f"(docs/{page.name}" in text, page


def test_the_linters_accept_its_workflow(tmp_path: Path) -> None:
    """People copy the example of a deployment workflow."""
    workflows = re.findall(r"```yaml\n(name: .+?)```", (ROOT / "docs/deploy.md").read_text(), re.DOTALL)
    assert len(workflows) == 1
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "deploy.yml").write_text(workflows[0])
    (tmp_path / "lint.mjs").write_text((ROOT / "tests/lint_workflows.mjs").read_text())
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    for command in (["node", "lint.mjs"], ["zizmor", "--offline", "--quiet", ".github/workflows"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

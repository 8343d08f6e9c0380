"""What an app may do, the CDK CLI's environment, and the reason in its output."""

from __future__ import annotations

from pathlib import Path

import pytest

from hello_queue.errors import HelloQueueError
from hello_queue.rehearsal import trees
from hello_queue.rehearsal.trees import Tree
from hello_queue.review.assembly import Synthesis
from hello_queue.review.synthesis import DEFAULT
from tests.review.conftest import Repository


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A tree that is deployed by another `cdk`, which prints what is in the file *output*, and fails."""
    synthesis = Synthesis({}, [])
    monkeypatch.setattr(trees, "synthesize", lambda *_, **__: {DEFAULT: synthesis})
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "cdk").write_text(
        f"#!/bin/sh\npwd > {tmp_path}/folder\necho $HOME > {tmp_path}/home\ncat {tmp_path}/output; exit 1\n"
    )
    (tools / "cdk").chmod(0o755)
    path = f"{tools}:/usr/bin:/bin"
    monkeypatch.setattr(trees, "environment_with_tools", lambda: {"PATH": path, "HOME": "/person"})
    monkeypatch.setenv("PATH", path)
    return Tree("the change", tmp_path, tmp_path / "work")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "S | 2/8 | 8:26 AM | CREATE_FAILED | AWS::IAM::Group | Another No such policy\nError: x",
            "S: AWS::IAM::Group Another No such policy",
        ),
        ("something\nToolkitError: a bug", "ToolkitError: a bug"),
        ("something\nelse", "else"),
        ("", "no output"),
    ],
)
def test_the_reason_of_a_failure(tmp_path: Path, tree: Tree, output: str, reason: str) -> None:
    (tmp_path / "output").write_text(output)
    assert tree.deploy().failure == reason


def test_the_cdk_runs_in_a_folder_of_its_own(tmp_path: Path, tree: Tree) -> None:
    """Neither the cdk.json of a change nor the one in the caller's home folder says what it loads."""
    (tmp_path / "output").touch()
    tree.destroy()
    assert (tmp_path / "folder").read_text() == (tmp_path / "home").read_text() == f"{tmp_path}/work\n"


def test_a_cdk_that_hangs(tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "CDK_SECONDS", 0.5)
    (tmp_path / "tools/cdk").write_text("#!/bin/sh\nexec sleep 30\n")
    assert tree.deploy().failure == "cdk deploy took longer than 0.5 s"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("def main( -> None:", "SyntaxError: "),
        ("def main() -> None:\n    sys.exit('settings: a is wrong')\n", "settings: a is wrong"),
    ],
)
def test_an_app_that_fails(repository: Repository, tmp_path: Path, change: str, reason: str) -> None:
    app = (repository.folder / "app.py").read_text()
    repository.write("app.py", app.replace("def main() -> None:", change))
    with pytest.raises(HelloQueueError, match=f"^the change cannot be deployed: the app of the change fails: {reason}"):
        Tree("the change", repository.folder, tmp_path / "work")

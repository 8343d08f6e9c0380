"""What review.py reads before it synthesizes: the base and the acceptances. What is invalid is one line, status 2."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hello_queue.review.base import accepted_since, read_base
from tests.review.conftest import Repository

FINDING = "new-access-key: HelloQueueIdentity/New"
NOT_A_LIST = "tests/golden/accepted.yaml is not a list of entries with `finding` and `reason`"


def refusal(repository: Repository, *arguments: str, base: str = "HEAD") -> str:
    """The one line of a review that is refused before the app runs."""
    repository.write("app.py", "raise RuntimeError('the app must not run')")
    done = repository.review(*arguments, base=base)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def accepted(repository: Repository, base: str) -> dict[str, str]:
    return accepted_since(read_base(base, repository.folder), repository.folder)


def test_an_acceptance_counts_for_its_change_only(repository: Repository) -> None:
    assert accepted(repository, "HEAD") == {}
    repository.accept(FINDING, "an earlier change")
    assert accepted(repository, "HEAD") == {FINDING: "an earlier change"}
    repository.commit("the change, with its acceptance")
    assert accepted(repository, "HEAD~1") == {FINDING: "an earlier change"}
    assert accepted(repository, "HEAD") == {}
    repository.accept(FINDING, "this change")
    assert accepted(repository, "HEAD") == {FINDING: "this change"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "- finding: 'x'\n  reason: ...\n",
            "tests/golden/accepted.yaml: 'x' has no reason: explain why this is intended",
        ),
        (
            "- finding: 'x'\n  reason: ''\n",
            "tests/golden/accepted.yaml: 'x' has no reason: explain why this is intended",
        ),
        ("- finding: 'x'\n  reason:\n", "tests/golden/accepted.yaml: 'x' has no reason: explain why this is intended"),
        ("x", NOT_A_LIST),
        ("- a", NOT_A_LIST),
        ("- finding: 'x'", NOT_A_LIST),
        ("- finding: [x]\n  reason: y", NOT_A_LIST),
        ("{", NOT_A_LIST),
        (b"\xff", NOT_A_LIST),
    ],
)
def test_an_invalid_acceptance(repository: Repository, text: str | bytes, expected: str) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    (repository.folder / "tests/golden/accepted.yaml").write_bytes(content)
    assert refusal(repository).endswith(f"{expected}\n")


def test_acceptances_that_are_a_folder(repository: Repository) -> None:
    (repository.folder / "tests/golden/accepted.yaml").mkdir()
    assert "tests/golden/accepted.yaml cannot be read: Is a directory" in refusal(repository)


@pytest.mark.parametrize("base", ["nope", "", "--help"])
def test_an_unknown_base(repository: Repository, base: str) -> None:
    assert f"base {base!r} is not a commit here" in refusal(repository, base=base)


def test_an_unknown_kind_of_finding(repository: Repository) -> None:
    done = repository.review("--fail-on", "everything")
    assert done.returncode == 2
    assert "unknown kind of finding 'everything': choose from stale-golden, " in done.stderr


def test_a_base_without_golden_templates(repository: Repository) -> None:
    repository.git("rm", "-r", "--quiet", "tests/golden")
    repository.commit("no golden templates")
    assert "has no templates in tests/golden/default" in refusal(repository)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", "invalid YAML"),
        ("text", "not a template"),
        ("Resources: 1", "not a template"),
        ("", "not a template"),
    ],
)
def test_an_invalid_template_in_the_base(repository: Repository, text: str, expected: str) -> None:
    repository.write("tests/golden/default/HelloQueueIdentity.yaml", text)
    repository.commit("broken")
    refused = refusal(repository)
    assert "tests/golden/default/HelloQueueIdentity.yaml of base" in refused
    assert expected in refused


def test_no_shared_history(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--orphan", "other")
    repository.commit("from nothing")
    assert "shares no history with HEAD" in refusal(repository, base="main")


def test_a_shallow_clone(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> None:
    repository.git("checkout", "--quiet", "-b", "change")
    repository.git("commit", "--quiet", "--allow-empty", "--message", "on the branch")
    repository.git("checkout", "--quiet", "main")
    repository.git("commit", "--quiet", "--allow-empty", "--message", "meanwhile")
    clone = tmp_path_factory.mktemp("clones") / "shallow"
    origin = repository.folder.as_uri()
    clone_it = ["git", "clone", "--quiet", "--depth=1", "--no-single-branch", "--branch=change", origin, str(clone)]
    subprocess.run(clone_it, check=True, capture_output=True)
    repository.folder = Path(clone)
    assert "this clone is shallow: git fetch --unshallow" in refusal(repository, base="origin/main")

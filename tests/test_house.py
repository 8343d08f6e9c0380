"""The shape of the code: who imports whom, how long files are, which phrases are out, what is locked and packaged."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hello_queue.project import ROOT

SCRIPTS = ROOT / "scripts"
FOUNDATION = {"errors", "constants", "project"}
MAY_IMPORT = {
    "aws": FOUNDATION,
    "sqs": {*FOUNDATION, "aws"},
    "deployment": {*FOUNDATION, "aws"},
    "operations": {*FOUNDATION, "aws", "sqs"},
    "checks": {*FOUNDATION, "aws", "sqs", "deployment"},
    "local_aws": {*FOUNDATION, "aws"},
    "benchmark": {*FOUNDATION, "aws", "sqs", "local_aws"},
    "cli": {*FOUNDATION, "aws", "sqs", "deployment", "checks", "operations"},
    # For one function: what a change says is escaped in its report, as in all that a script prints.
    "review": {*FOUNDATION, "cli.terminal"},
    "rehearsal": {*FOUNDATION, "aws", "deployment", "local_aws", "review", "cli.terminal"},
}
"""The arrows of the package: each subpackage, and what it may import besides itself."""

LONGEST = 300
LONG_FILES: dict[str, str] = {"tests/simulation/mutants.py": "a table"}
"""Files that may be longer, each with its reason."""

WORN_PHRASES = (
    *("is no JSON", "told with", "no longer ours", "reads otherwise", "is decided otherwise"),
    *("nobody counts for", "shall share", "computes without end", "Patience", "crew"),
)


def modules() -> dict[str, Path]:
    """The package's modules by name, relative to hello_queue: ``sqs.consumer``; ``sqs`` is the subpackage's own."""
    package = SCRIPTS / "hello_queue"
    found = {}
    for path in package.rglob("*.py"):
        if "peers" not in path.parts:  # other clients, in environments of their own
            parts = path.relative_to(package).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imported(path: Path) -> Iterator[str]:
    """The names of the modules that a file imports, at the top or within a function, and for typing only."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def arrows() -> dict[str, set[str]]:
    """Which modules of the package each module of it imports."""
    known = modules()
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        ours = {each.partition("hello_queue.")[2] for each in imported(path) if each.startswith("hello_queue.")}
        found[name] = {each for each in ours if each in known} - {name}
    return found


def subpackage(module: str) -> str:
    return module.partition(".")[0]


def circle(graph: dict[str, set[str]]) -> list[str]:
    """A path through the graph that comes back to where it began; empty if there is none."""
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node not in done:
            for target in sorted(graph.get(node, ())):
                if found := visit(target, [*path, node]):
                    return found
            done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := visit(node, []))), [])


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_modules_do_not_import_in_a_circle() -> None:
    assert circle({name: targets - {subpackage(name)} for name, targets in arrows().items()}) == []


def test_subpackages_do_not_import_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for name, targets in arrows().items():
        graph.setdefault(subpackage(name), set()).update({subpackage(each) for each in targets} - {subpackage(name)})
    assert circle(graph) == []


def test_arrows_point_down() -> None:
    up = [
        f"{name} imports {target}"
        for name, targets in arrows().items()
        if "." in name
        for target in targets
        if subpackage(target) != subpackage(name) and not {target, subpackage(target)} & MAY_IMPORT[subpackage(name)]
    ]
    assert not up
    foundation = {name: targets for name, targets in arrows().items() if name in FOUNDATION}
    assert foundation == {name: set() for name in FOUNDATION}


def test_the_page_for_developers_names_each_subpackage() -> None:
    text = (ROOT / "docs/development.md").read_text()
    assert [name for name in MAY_IMPORT if f"/{name}`" not in text] == []


def test_the_package_and_the_stacks_share_constants_only() -> None:
    for path in tracked("stacks/*.py"):
        ours = {each for each in imported(path) if each.startswith("hello_queue")}
        assert all(each.startswith("hello_queue.constants") for each in ours), path
    for path in modules().values():
        assert not [each for each in imported(path) if each.partition(".")[0] in ("stacks", "app", "tests")] or (
            path.name == "run_app.py"  # runs the app of a working tree, which is not this one's
        ), path


def test_importing_the_package_needs_the_standard_library_only() -> None:
    """Without site-packages (-S), so that it can travel to where a handler runs, as in an AWS Lambda function."""
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); from hello_queue import CannotGoOn, Message, RetryLater"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_file_is_too_long() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in tracked("app.py", "scripts/*.py", "stacks/*.py", "tests/*.py", "*.mjs", "*.cjs")
    }
    too_long = {name for name, length in lengths.items() if length > LONGEST}
    assert too_long == set(LONG_FILES)


def test_plain_english() -> None:
    for path in tracked("README.md", "docs", "app.py", "scripts", "stacks", "tests", "Makefile"):
        if path != Path(__file__) and path.suffix in (".py", ".md", ".mjs", ".cjs", ""):
            text = " ".join(path.read_text().split())
            for phrase in WORN_PHRASES:
                assert not re.search(rf"\b{phrase}\b", text), f"{path.relative_to(ROOT)}: {phrase!r}"


def pins(file: str) -> set[str]:
    """The ``name==version`` of a requirements file, names in lower case and without extras."""
    found = re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;#\\]+)", (ROOT / file).read_text(), re.MULTILINE)
    return {f"{re.sub('[-_.]+', '-', name).lower()}=={version}" for name, version in found}


def test_the_lock_is_up_to_date() -> None:
    direct = pins("requirements.txt") | pins("requirements-dev.txt")
    assert len(direct) > 10
    assert direct <= pins("requirements.lock"), "requirements.lock is stale: run `make lock`"


def test_everything_in_the_lock_has_a_hash() -> None:
    for entry in re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text()):
        if "==" in entry.partition("\n")[0]:
            assert "--hash=sha256:" in entry, entry


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `pip install <the repository>` builds it, offline and from a copy."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in tracked("pyproject.toml", "requirements.txt", "README.md", "LICENSE", "scripts"):
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--wheel-dir", target, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = target.glob("*.whl")
    return built


def test_the_package_works_elsewhere(wheel: Path, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(wheel)!r}); from hello_queue import Message, RetryLater; print(Message)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "<class 'hello_queue.sqs.handlers.Message'>\n", done.stderr


def test_what_is_in_the_wheel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {each.partition("/")[0] for each in names} == {"hello_queue", names[-1].partition("/")[0]}
    files = {each.removeprefix("hello_queue/") for each in names if each.startswith("hello_queue/")}
    modules_ = {str(path.relative_to(SCRIPTS / "hello_queue")) for path in modules().values()}
    assert modules_ <= files
    # The benchmark's Node peers are for this repository only; what the review runs in node belongs to its module.
    assert files - modules_ == {"review/changes.cjs"}

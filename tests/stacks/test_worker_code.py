"""The code of the workers on AWS Lambda: complete, reproducible, and from the project only."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
from stacks.settings import SettingsError
from stacks.worker_code import PROJECT, WORKER_MODULES, collect_code, handler_folder
from tests.conftest import DEFAULTS

MODULES = {f"hello_queue/{name}" for name in WORKER_MODULES}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A handler's folder in the project."""
    made = PROJECT / "cdk.out" / f"workers-{os.getpid()}-{time.time_ns()}"
    made.mkdir(parents=True)
    (made / "orders.py").write_text("def book(message): ...\n")
    yield made
    shutil.rmtree(made)


def name_of(folder: Path) -> str:
    return str(folder.relative_to(PROJECT))


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def make_wheel(directory: Path, tag: str = "py3-none-any") -> Path:
    """A wheel with a module and a console script."""
    directory.mkdir(parents=True)
    wheel = directory / f"needed-1.0-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("needed.py", "answer = 42\n")
        archive.writestr("needed-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: needed\nVersion: 1.0\n")
        archive.writestr("needed-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: " + tag + "\n")
        archive.writestr("needed-1.0.dist-info/entry_points.txt", "[console_scripts]\nneeded = needed:main\n")
        archive.writestr("needed-1.0.dist-info/RECORD", "")
    return wheel


def test_the_requirements_are_included_and_the_result_is_the_same_everywhere(folder: Path, tmp_path: Path) -> None:
    """Two machines differ in where Python is, where the requirement is, and when pip runs."""
    (folder / "bin").mkdir()
    (folder / "bin/ours").write_text("kept\n")
    collected = []
    for machine in ("one", "another"):
        wheel = make_wheel(tmp_path / machine / "wheels")
        (folder / "__pycache__").mkdir(exist_ok=True)
        (folder / "__pycache__/orders.pyc").write_text(machine)
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{wheel}\n")
        directory = tmp_path / machine / "collected"
        directory.mkdir()
        collect_code(folder, directory)
        assert str(wheel) in (directory / "requirements.txt").read_text()
        (directory / "requirements.txt").unlink()
        collected.append(files(directory))
    assert collected[0] == collected[1]
    metadata = {f"needed-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "entry_points.txt")}
    assert collected[0].keys() == {"orders.py", "needed.py", "bin/ours", *metadata, *MODULES}


@pytest.mark.parametrize("platform", ["manylinux2014", "manylinux_2_34"])
def test_wheels_for_lambda_are_installed(folder: Path, tmp_path: Path, platform: str) -> None:
    wheel = make_wheel(tmp_path / "wheels", f"cp314-cp314-{platform}_x86_64")
    (folder / "requirements.txt").write_text(f"{wheel}\n")
    collect_code(folder, tmp_path / "collected")
    assert (tmp_path / "collected/needed.py").exists()


def test_a_wheel_that_lambda_cannot_load_is_refused(folder: Path, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", "cp314-cp314-manylinux_2_35_x86_64")
    (folder / "requirements.txt").write_text(f"{wheel}\n")
    with pytest.raises(SettingsError, match="not a supported wheel"):
        collect_code(folder, tmp_path / "collected")


def asset_hash(output: Path, **settings: str) -> str:
    app.build(context={**DEFAULTS, "workers": "lambda", **settings}, outdir=str(output)).synth()
    (asset,) = [path.name for path in output.glob("asset.*") if path.is_dir()]
    return asset


def test_the_hash_of_the_asset_depends_on_content_only(folder: Path, tmp_path: Path) -> None:
    settings = {"worker_folder": name_of(folder), "worker_handler": "orders:book"}
    before = asset_hash(tmp_path / "1", **settings)
    os.utime(folder / "orders.py", (0, 0))
    (folder / "orders.py").chmod(0o600)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/orders.pyc").write_text("x")
    (folder / ".editor").write_text("x")
    assert asset_hash(tmp_path / "2", **settings) == before
    (folder / "orders.py").write_text("def book(message): pass\n")
    assert asset_hash(tmp_path / "3", **settings) != before


def test_requirements_that_cannot_be_installed(folder: Path, tmp_path: Path) -> None:
    (folder / "requirements.txt").write_text("/no/such/wheel-1.0-py3-none-any.whl\n")
    with pytest.raises(SettingsError, match=r"^worker_folder: .*/requirements.txt cannot be installed for Lambda: "):
        asset_hash(tmp_path, worker_folder=name_of(folder), worker_handler="orders:book")


def test_an_unknown_module() -> None:
    with pytest.raises(SettingsError, match="no module 'orders' in worker_folder 'scripts/workers'"):
        handler_folder("scripts/workers", "orders:book")
    with pytest.raises(SettingsError, match="no module 'orders' in worker_folder 'no/folder'"):
        handler_folder("no/folder", "orders:book")


def test_the_folder_is_a_link_out_of_the_project(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("")
    link = folder / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(SettingsError, match=f"^worker_folder: .*/link leads out of the project, to {tmp_path}: copy"):
        handler_folder(name_of(link), "orders:book")


def test_the_folder_is_in_a_link_out_of_the_project(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(SettingsError, match="/link/inner leads out of the project"):
        handler_folder(name_of(folder / "link/inner"), "orders:book")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/etc/hostname", "leads out of the project, to /etc/hostname"),
        ("/etc", "leads out of the project, to /etc"),
        ("../../../../..", "leads out of the project"),
        ("missing", "which does not exist"),
        ("link", "which does not exist"),
        ("..", "a folder that contains it"),
    ],
)
def test_links_in_the_folder_that_are_refused(folder: Path, target: str, reason: str) -> None:
    (folder / "package").mkdir()
    (folder / "package/link").symlink_to(target)
    with pytest.raises(SettingsError, match=rf"^worker_folder: \S*/package/link .*{reason}"):
        handler_folder(name_of(folder), "orders:book")


def test_a_link_behind_a_link(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/out").symlink_to("/etc")
    (folder / "handlers").mkdir()
    (folder / "handlers/link").symlink_to("../elsewhere")
    with pytest.raises(SettingsError, match="/handlers/link/out leads out of the project"):
        handler_folder(name_of(folder / "handlers"), "orders:book")


def test_links_within_the_project_and_hidden_ones(folder: Path, tmp_path: Path) -> None:
    (folder / "example.py").symlink_to(PROJECT / "scripts/workers/example.py")
    (folder / "more").symlink_to(PROJECT / "scripts/workers")
    (folder / ".venv").symlink_to("/etc")
    collect_code(handler_folder(name_of(folder), "example:log"), tmp_path)
    for name in ("example.py", "more/example.py"):
        assert not (tmp_path / name).is_symlink()
        assert "def log(" in (tmp_path / name).read_text()
    assert not (tmp_path / ".venv").exists()

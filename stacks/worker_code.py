"""The code that the workers on AWS Lambda run: the handler's folder, what it requires, and what calls the handler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_

from stacks.setting_kinds import SettingsError

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "scripts/hello_queue"
WORKER_MODULES = ("__init__.py", "sqs/__init__.py", "sqs/handlers.py", "sqs/lambda_worker.py")
"""The modules of the package that the function needs. They import only Python's library and what Lambda provides."""

ENTRY_POINT = "hello_queue.sqs.lambda_worker.handle"
PYTHON_VERSION = "3.14"
_GLIBC_MINOR_VERSION = 34
"""Lambda's runtime for this Python has Amazon Linux 2023's glibc, 2.34:
https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html"""

_TARGET = (
    *(f"--platform=manylinux_2_{minor}_x86_64" for minor in range(_GLIBC_MINOR_VERSION, 16, -1)),
    "--platform=manylinux2014_x86_64",
    "--only-binary=:all:",
    f"--python-version={PYTHON_VERSION}",
    "--implementation=cp",
)
"""The requirements are for Lambda, not for the machine that deploys."""

_IGNORED = shutil.ignore_patterns("__pycache__", ".*")
"""What of a handler's folder is not copied."""

_MACHINE_DEPENDENT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""What pip notes in a .dist-info folder about this installation."""


def handler_folder(folder_name: str, handler: str) -> Path:
    """The folder of a handler, checked.

    Args:
        folder_name: relative to the root of the project.
        handler: ``module:function``.

    Raises:
        SettingsError: the folder has no such module; or it, or something in it, is a link that leads out of the
            project, to nothing or to a folder around it.
    """
    folder = PROJECT / folder_name
    _check_links(folder)
    module = handler.partition(":")[0].partition(".")[0]
    if not ((folder / f"{module}.py").is_file() or (folder / module).is_dir()):
        raise SettingsError(f"worker_handler: there is no module {module!r} in worker_folder {folder_name!r}")
    return folder


def _check_links(path: Path, *around: Path) -> None:
    """Check a file, or a folder with everything in it that is copied."""
    target = Path(os.path.realpath(path))
    reason = None
    if not target.is_relative_to(PROJECT):
        reason = f"leads out of the project, to {target}"
    elif path.is_symlink() and not path.exists():
        reason = f"leads to {target}, which does not exist"
    elif target in around:
        reason = f"leads to {target}, a folder that contains it"
    if reason:
        raise SettingsError(
            f"worker_folder: {path.relative_to(PROJECT)} {reason}: copy what the workers need into the folder"
        )
    if path.is_dir():
        names = {each.name for each in path.iterdir()}
        for name in sorted(names - _IGNORED(str(path), list(names))):
            _check_links(path / name, target, *around)


@jsii.implements(cdk.ILocalBundling)
class LocalBundling:
    """Collects the code of a handler's folder without Docker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.error: SettingsError | None = None
        """Why bundling failed. The CDK raises a RuntimeError instead."""

    # Node.js calls it, with BundlingOptions that are not needed here.
    def try_bundle(self, output_dir: str, *_: Any, **__: Any) -> bool:
        try:
            collect_code(self.folder, Path(output_dir))
        except SettingsError as error:
            self.error = error
            raise
        return True


def worker_code(bundling: LocalBundling) -> lambda_.Code:
    """The code as an asset. Its hash depends on its content only, so that every machine computes the same."""
    return lambda_.Code.from_asset(
        str(bundling.folder),
        asset_hash_type=cdk.AssetHashType.OUTPUT,
        bundling=cdk.BundlingOptions(image=cdk.DockerImage.from_registry("unused"), local=bundling),
    )


def collect_code(folder: Path, directory: Path) -> None:
    """Put the requirements, the handler's folder and the worker's modules into a directory, as Lambda gets them.

    The same input has the same result on every machine: without byte code, without scripts that name this machine's
    Python, without pip's notes.

    Raises:
        SettingsError: the requirements cannot be installed.
    """
    requirements = folder / "requirements.txt"
    if requirements.exists():
        _install(requirements, directory)
    shutil.copytree(folder, directory, ignore=_IGNORED, dirs_exist_ok=True)
    for name in WORKER_MODULES:
        copy = directory / PACKAGE.name / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE / name, copy)


def _install(requirements: Path, directory: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--no-compile", f"--target={directory}", *_TARGET, f"--requirement={requirements}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip printed no reason"])[-1]
        raise SettingsError(f"worker_folder: {requirements} cannot be installed for Lambda: {last}")
    shutil.rmtree(directory / "bin", ignore_errors=True)
    for name in _MACHINE_DEPENDENT:
        for path in directory.glob(f"*.dist-info/{name}"):
            path.unlink()

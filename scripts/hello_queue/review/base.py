"""The commit to compare with: its golden files and its code, read from git; and what was accepted since."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hello_queue.errors import UsageError
from hello_queue.review.assembly import Templates, readable
from hello_queue.review.findings import short
from hello_queue.review.masking import masked
from hello_queue.review.synthesis import ACKNOWLEDGMENTS, DEFAULT, GOLDEN

ACCEPTED = "accepted.yaml"


@dataclass(frozen=True)
class Base:
    """The golden files of a commit.

    Attributes:
        commit: its abbreviated hash.
        variants: the templates of each variant.
        acknowledgments: the acknowledged cdk-nag findings.
        accepted: the findings that were accepted up to this commit.
    """

    commit: str
    variants: Mapping[str, Templates]
    acknowledgments: list[dict[str, str]]
    accepted: list[dict[str, str]]


def merge_base(name: str, root: Path) -> str:
    """The abbreviated hash of the merge base of ``name``, which is a commit, branch or tag, and HEAD.

    Raises:
        UsageError: there is no such commit, or it shares no history with HEAD.
    """
    if _git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") is None:
        raise UsageError(
            f"base {name!r} is not a commit here: fetch it (git fetch origin), or name another with BASE=…"
        )
    found = _git(root, "merge-base", name, "HEAD")
    if found is None:
        shallow = _git(root, "rev-parse", "--is-shallow-repository") == "true\n"
        hint = "this clone is shallow: git fetch --unshallow" if shallow else "name another with BASE=…"
        raise UsageError(f"base {name!r} shares no history with HEAD: {hint}")
    return found.strip()[:12]


def read_base(name: str, root: Path) -> Base:
    """Read the golden files of the merge base of ``name`` and HEAD.

    Args:
        name: a commit, branch or tag.
        root: the working tree.

    Raises:
        UsageError: the commit does not exist or shares no history with HEAD; or its golden files are missing or
            invalid.
    """
    commit = merge_base(name, root)
    listed = _git(root, "ls-tree", "-r", "-z", "--name-only", commit, "--", GOLDEN)
    names = [path for path in (listed or "").split("\0") if path.endswith(".yaml")]
    files = {path.removeprefix(f"{GOLDEN}/"): _read(root, commit, path) for path in names}
    acknowledgments, accepted = files.pop(ACKNOWLEDGMENTS, None) or [], files.pop(ACCEPTED, None) or []
    variants: dict[str, dict[str, Any]] = {}
    for path, template in files.items():
        variant, _, file = path.rpartition("/")
        variants.setdefault(variant, {})[file.removesuffix(".yaml")] = template
    if DEFAULT not in variants:
        raise UsageError(
            f"base {name!r} ({commit}) has no templates in {GOLDEN}/{DEFAULT}: there is nothing to compare with"
        )
    whole = {variant: {**variants[DEFAULT], **own} for variant, own in variants.items()}
    return Base(commit, whole, acknowledgments, accepted)


def _read(root: Path, commit: str, path: str) -> Any:
    try:
        content = yaml.safe_load(_git(root, "show", f"{commit}:{path}") or "")
    except yaml.YAMLError as error:
        reason = masked(" ".join(str(error).split()))
        raise UsageError(f"{path} of base {commit} is invalid YAML: {reason}") from None
    if path in (f"{GOLDEN}/{ACKNOWLEDGMENTS}", f"{GOLDEN}/{ACCEPTED}"):
        if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
            raise UsageError(f"{path} of base {commit} is not a list of entries")
    elif not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        raise UsageError(f"{path} of base {commit} is not a template: it has no Resources")
    else:
        content = readable(content)
    return content


def accepted_since(base: Base, root: Path) -> dict[str, str]:
    """The reasons for accepting findings, by the findings' ids: entries that the base does not have.

    What the base had accepted was accepted for another change.

    Args:
        base: the commit to compare with.
        root: the working tree.

    Raises:
        UsageError: the file is invalid, or an entry has no reason.
    """
    path, name = root / GOLDEN / ACCEPTED, f"{GOLDEN}/{ACCEPTED}"
    try:
        entries = yaml.safe_load(path.read_text()) if path.exists() else []
        accepted = [(_line(entry["finding"]), _line(entry["reason"]).strip()) for entry in entries or []]
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError):
        raise UsageError(f"{name} is not a list of entries with `finding` and `reason`") from None
    for finding, reason in accepted:
        if reason in ("", "..."):
            raise UsageError(f"{name}: {finding!r} has no reason: explain why this is intended")
    before = [(entry.get("finding"), str(entry.get("reason")).strip()) for entry in base.accepted]
    return {short(finding): reason for finding, reason in accepted if (finding, reason) not in before}


def _line(value: Any) -> str:
    """A text or number of a YAML file. A list of aliases, written out, could fill the memory."""
    if isinstance(value, (list, dict)):
        raise TypeError
    return "" if value is None else str(value)


def check_out(commit: str, root: Path, directory: Path) -> None:
    """Write the files of a commit to an empty directory, without hooks and without touching the index.

    Raises:
        UsageError: git fails.
    """
    index = {"GIT_INDEX_FILE": str(directory.with_suffix(".index"))}
    for arguments in (["read-tree", commit], ["checkout-index", "--all", f"--prefix={directory}/"]):
        if _git(root, *arguments, **index) is None:
            raise UsageError(f"git cannot write the files of {commit} to {directory}: is the disk full?")


def changed_files(commit: str, root: Path) -> list[str]:
    """The files that differ between a commit and the working tree, also those that are not added yet."""
    tracked = _git(root, "diff", "--name-only", "--no-renames", "-z", commit) or ""
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z") or ""
    return sorted({*(tracked + untracked).split("\0")} - {""})


def _git(root: Path, *arguments: str, **variables: str) -> str | None:
    """What git prints, or None if it fails."""
    environment = {**os.environ, **variables}
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    return done.stdout if done.returncode == 0 else None

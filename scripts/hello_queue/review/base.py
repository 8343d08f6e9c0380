"""The golden files of another commit, as git has them. Needs no network."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hello_queue.errors import UsageError
from hello_queue.review.synthesis import DEFAULT, LEDGER, Templates

FOLDER = "tests/golden"
ACCEPTED = "accepted.yaml"


@dataclass(frozen=True)
class Base:
    """What a commit's golden files say.

    Attributes:
        commit: its abbreviated hash.
        variants: the templates of each variant.
        ledger: the acknowledgments.
        accepted: the findings that are accepted there.
    """

    commit: str
    variants: Mapping[str, Templates]
    ledger: list[dict[str, str]]
    accepted: list[dict[str, str]]


def read_base(name: str, root: Path) -> Base:
    """Read the golden files of where the working tree left ``name``: their merge base.

    Raises:
        UsageError: there is no such commit, no common history here, no golden files there, or one that cannot be read.
    """
    if _git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") is None:
        raise UsageError(f"base {name!r} is no commit here: fetch it (git fetch origin), or name another with BASE=…")
    found = _git(root, "merge-base", name, "HEAD")
    if found is None:
        shallow = _git(root, "rev-parse", "--is-shallow-repository") == "true\n"
        hint = "this clone is shallow: git fetch --unshallow" if shallow else "name another with BASE=…"
        raise UsageError(f"base {name!r} has no history in common with HEAD here: {hint}")
    commit = found.strip()[:12]
    listed = _git(root, "ls-tree", "-r", "-z", "--name-only", commit, "--", FOLDER)
    names = [path for path in (listed or "").split("\0") if path.endswith(".yaml")]
    files = {path.removeprefix(f"{FOLDER}/"): _read(root, commit, path) for path in names}
    ledger, accepted = files.pop(LEDGER, None) or [], files.pop(ACCEPTED, None) or []
    variants: dict[str, dict[str, Any]] = {}
    for path, template in files.items():
        variant, _, file = path.rpartition("/")
        variants.setdefault(variant, {})[file.removesuffix(".yaml")] = template
    if DEFAULT not in variants:
        raise UsageError(
            f"base {name!r} ({commit}) has no templates in {FOLDER}/{DEFAULT}: there is nothing to compare with"
        )
    return Base(commit, {variant: {**variants[DEFAULT], **own} for variant, own in variants.items()}, ledger, accepted)


def _read(root: Path, commit: str, path: str) -> Any:
    try:
        content = yaml.safe_load(_git(root, "show", f"{commit}:{path}") or "")
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path} of base {commit} is no YAML: {reason}") from None
    if path in (f"{FOLDER}/{LEDGER}", f"{FOLDER}/{ACCEPTED}"):
        if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
            raise UsageError(f"{path} of base {commit} is no list of entries")
    elif not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        raise UsageError(f"{path} of base {commit} is no template: it has no Resources")
    return content


def _git(root: Path, *arguments: str) -> str | None:
    """What git says, or None where it refuses."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None

"""What no synthesis shows: code that can tell a deployment from a review, and what is installed to deploy."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hello_queue.review.findings import ABSENT, Finding, Note
from hello_queue.review.rules_of_guards import project_file

_ALIKE = {
    *("aws_cdk", "cdk_nag", "constructs", "jsii", "stacks", "hello_queue.constants"),
    *("__future__", "abc", "base64", "collections", "contextlib", "copy", "dataclasses", "difflib", "enum"),
    *("functools", "hashlib", "itertools", "json", "logging", "math", "operator", "pathlib", "re", "shutil"),
    *("string", "textwrap", "types", "typing", "warnings"),
}
"""Modules that do the same everywhere. Of any other, each name that the app uses counts."""

_TELLTALE = {
    *("open", "exec", "eval", "compile", "globals", "locals", "vars"),
    *("__import__", "__builtins__", "__loader__", "__spec__"),
    *(".environ", ".getenv", ".argv", ".now", ".today", ".try_get_context", ".outdir"),
    *(".home", ".cwd", ".expanduser", ".exists", ".read_text", ".read_bytes"),
}
"""Names, and attributes of anything, by which code can learn where it runs."""

_USUAL = ("", 0, 1, None, ...)
"""What code compares with for other reasons: whether something is empty, false, or the only one."""


def telltale(before: Path, after: Path) -> Iterator[Finding]:
    """What the app newly uses and may differ between here and a deployment: variables, time, files, a certain name."""
    old, new = ({file.relative_to(root): _used(file) for file in _code(root)} for root in (before, after))
    known = sum(old.values(), Counter[str]())
    fresh = sum(new.values(), Counter[str]()) - known
    # A comparison that is only made once more tells nothing new.
    names = sorted(name for name in fresh if not (name.startswith("the comparison") and name in known))
    if names:
        files = [str(file) for file, used in new.items() if {*(used - old.get(file, Counter()))} & {*names}]
        what = f"the app may do something else on deployment than here: it uses {', '.join(names)}"
        yield Finding("weaker-review", what, ", ".join(files), "", "", ABSENT, ", ".join(names))


def _code(root: Path) -> list[Path]:
    package = root / "scripts/hello_queue"
    files = [root / "app.py", package / "__init__.py", package / "constants.py", *sorted(root.glob("stacks/**/*.py"))]
    return [file for file in files if file.is_file()]


def _used(file: Path) -> Counter[str]:
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return Counter()  # the app fails
    return Counter(_names(nodes))


def _names(nodes: list[ast.AST]) -> Iterator[str]:
    modules: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            modules |= {each.asname or each.name.partition(".")[0]: each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module not in _ALIKE:
            modules |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    modules = {name: module for name, module in modules.items() if module.partition(".")[0] not in _ALIKE}
    parts = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        called = isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("startswith", "endswith")
        if isinstance(node, ast.Attribute):
            of_module = isinstance(node.value, ast.Name) and modules.get(node.value.id)
            if of_module or f".{node.attr}" in _TELLTALE:
                yield f"{of_module or ''}.{node.attr}"
        elif isinstance(node, ast.Name) and (node.id in _TELLTALE or (node.id in modules and id(node) not in parts)):
            yield modules.get(node.id, node.id)
        elif called or isinstance(node, (ast.Compare, ast.MatchValue)):
            for each in ast.walk(node):
                if isinstance(each, ast.Constant) and each.value not in _USUAL:
                    yield f"the comparison with {each.value!r}"


_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,-]+\])?==[\w.+!]+(?: *;.*)?|--hash=sha256:[0-9a-f]{64}|-r [\w-]+\.txt|")


_COMMANDS = ("variables", "setup", "synth", "golden", "review", "rehearse")
"""What of the Makefile installs, synthesizes and reviews. Its other targets are for whoever works on the project."""

_MAY_DO_MORE = re.compile(
    r"secrets|token|: *write|write-all|pull_request_target|workflow_run|self-hosted|AWS_|role-to-assume|deploy|review",
    re.IGNORECASE,
)
"""What stands in a workflow that has credentials, may write, deploys or reviews."""


def _only_checks(name: str, text: str) -> bool:
    """Whether a file of CI does no more than run checks. The token of a workflow without `permissions` may write."""
    limited = name.startswith(".ci/") or re.search(r"^permissions:", text, re.MULTILINE)
    return not text or bool(limited and not _MAY_DO_MORE.search(text))


def installed(before: Path, after: Path, changed: Sequence[str]) -> Iterator[Finding | Note]:
    """What is installed from elsewhere or in addition, and what `make` and CI do otherwise."""
    for name in changed:
        old, new = (_text(root / name) for root in (before, after))
        if name in ("package.json", "package-lock.json"):
            try:
                yield from project_file(name, json.loads(old or "{}"), json.loads(new or "{}"))
            except ValueError:
                yield _decisive(name, ["no JSON"])
        elif re.fullmatch(r"requirements[\w-]*\.(txt|lock)", name):
            known = _requirements(old)
            other = [text for one, text in _requirements(new).items() if one not in known]
            if other:
                yield _decisive(name, other)
        elif name == "Makefile":
            yield from _commands(old, new)
        elif name.startswith((".ci/", ".github/")):
            if _only_checks(name, old) and _only_checks(name, new):
                yield Note(name, "what CI checks changed; it has no credentials, and may not write")
            else:
                yield _decisive(name, ["this file"])


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.is_file() else ""


def _decisive(name: str, changed: list[str]) -> Finding:
    what = f"{name} decides what is installed or checked, and changed: {', '.join(changed)}"
    return Finding("weaker-review", what, name, "", "", "as in the base", ", ".join(changed))


def _requirements(text: str) -> dict[str, str]:
    """The packages by name, and everything else that pip would do."""
    found = {}
    for line in text.splitlines():
        plain = re.sub(r"(?:^|\s)#.*", "", line).strip().removesuffix("\\").strip()
        match = _REQUIREMENT.fullmatch(plain)
        if not match or match[1]:
            found[match[1].lower() if match else plain] = plain
    return found


def _commands(old: str, new: str) -> Iterator[Finding | Note]:
    """The targets of the Makefile that are gone or changed."""
    was, now = _targets(old), _targets(new)
    differing = sorted(target for target in was if was[target] != now.get(target))
    needed = _needed(was) | _needed(now)
    decisive = [target for target in differing if target in needed]
    if decisive:
        yield _decisive("Makefile", decisive)
    elif differing:
        yield Note("Makefile", f"other commands changed: {', '.join(differing)}")


def _targets(text: str) -> dict[str, list[str]]:
    """The lines of a Makefile by target; those of no target under "variables"."""
    found: dict[str, list[str]] = {"variables": []}
    target = "variables"
    for line in text.splitlines():
        if not line.startswith("\t"):
            target = line.partition(":")[0] if re.match(r"[\w$./() -]+:(?!=)", line) else "variables"
        if target != ".PHONY" and not re.fullmatch(r"\s*|#.*|\t@echo '[^']*'", line):
            found.setdefault(target, []).append(line)
    return found


def _needed(targets: Mapping[str, list[str]]) -> set[str]:
    """The targets of `_COMMANDS`, with all that they need."""
    needed = list(_COMMANDS)
    for target in needed:
        words = " ".join(targets.get(target, ())).replace(":", " ").split()
        needed += [word for word in dict.fromkeys(words) if word in targets and word not in needed]
    return {*needed}

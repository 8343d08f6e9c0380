"""What `cdk diff` prints for the stacks that a change touches. Works offline and without credentials."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from hello_queue.project import environment_with_tools
from hello_queue.review.synthesis import Templates, as_yaml


def details(before: Templates, after: Templates) -> dict[str, str]:
    """The output of `cdk diff` for each stack that differs, by the stack's name."""
    found = {}
    for stack in sorted({*before, *after}):
        if before.get(stack) == after.get(stack):
            continue
        if stack not in after:  # `cdk diff` refuses a stack that is not in the app
            found[stack] = "The whole stack is removed."
            continue
        found[stack] = _cdk_diff(stack, before, after)
    return found


def _cdk_diff(stack: str, before: Templates, after: Templates) -> str:
    with tempfile.TemporaryDirectory() as name:
        old, new = Path(name, "old.yaml"), Path(name, "new")
        old.write_text(as_yaml(before.get(stack, {"Resources": {}})))
        _write_assembly(new, stack, json.dumps(after[stack]))
        command = ["cdk", "diff", stack, "--app", str(new), "--template", str(old), "--no-color"]
        offline = {name: value for name, value in environment_with_tools().items() if not name.startswith("AWS_")}
        done = subprocess.run(command, cwd=name, env=offline, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return "\n".join(line for line in lines if not line.startswith("✨")).strip()


def _write_assembly(directory: Path, stack: str, template: str) -> None:
    """Write a cloud assembly with one template, which the CLI takes for a synthesized app."""
    directory.mkdir()
    (directory / "template.json").write_text(template)
    artifact = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/unknown-region",
        "properties": {"templateFile": "template.json"},
    }
    (directory / "manifest.json").write_text(json.dumps({"version": "36.0.0", "artifacts": {stack: artifact}}))

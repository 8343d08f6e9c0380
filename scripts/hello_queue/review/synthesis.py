"""Synthesizes the templates of a working tree, and writes them as the YAML that reviewers read."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hello_queue.errors import HelloQueueError
from hello_queue.project import ROOT, environment_with_tools

GOLDEN = "tests/golden"
"""The folder of the golden files, relative to the working tree."""

APP = "python3 app.py"
DEFAULT = "default"
Variants = Mapping[str, Mapping[str, str]]

VARIANTS: Variants = {
    DEFAULT: {},
    "administrator_access=false": {"administrator_access": "false"},
    "access_key=0": {"access_key": "0", "second_access_key": "0"},
    "second_access_key=2": {"access_key": "1", "second_access_key": "2"},
    "console_access=true": {"console_access": "true"},
    "fifo=true": {"fifo": "true"},
    "keep_data=true": {"keep_data": "true"},
    "workers=lambda": {"workers": "lambda"},
    "alarm_email=set": {"alarm_email": "alarms@example.com"},
}
"""The settings that change rights or resources, as context for the app. They are added to the context in cdk.json, so a
variant sets everything that must go together."""

ACKNOWLEDGMENTS = "acknowledgments.yaml"

Template = Mapping[str, Any]
Templates = Mapping[str, Template]
"""Templates by stack name."""


@dataclass(frozen=True)
class Synthesis:
    """What the app synthesizes for one variant.

    Attributes:
        templates: the templates by stack name.
        acknowledgments: the acknowledged cdk-nag findings, each with ``finding``, ``where`` and ``reason``.
    """

    templates: Templates
    acknowledgments: list[dict[str, str]]


def synthesize(variants: Variants = VARIANTS, root: Path = ROOT) -> dict[str, Synthesis]:
    """Run the app of a working tree for each variant, with the context of its cdk.json.

    Raises:
        HelloQueueError: the app fails, which the message quotes; or it deploys what the templates do not show.
    """
    project = json.loads((root / "cdk.json").read_text())
    if project["app"] != APP:
        raise HelloQueueError(f"cdk.json runs {project['app']!r}, not {APP!r}: review by hand what that deploys")
    if (root / "cdk.context.json").exists():
        raise HelloQueueError("cdk.context.json has context that the golden templates do not show: move it to cdk.json")
    context = project["context"]
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("run_app.py")), directory],
            cwd=root,
            env=environment_with_tools(),
            input=json.dumps([{**context, **settings} for settings in variants.values()]),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise HelloQueueError(f"the working tree cannot be synthesized:\n{done.stderr.strip()}")
        return {variant: _read(Path(directory, str(number))) for number, variant in enumerate(variants)}


def _read(directory: Path) -> Synthesis:
    templates = {
        path.name.removesuffix(".template.json"): json.loads(path.read_text())
        for path in sorted(directory.rglob("*.template.json"))
    }
    # The CDK does not deploy a stack without resources: that of the workers, with workers=none.
    templates = {name: template for name, template in templates.items() if template.get("Resources")}
    for manifest in directory.rglob("manifest.json"):
        for name, artifact in json.loads(manifest.read_text()).get("artifacts", {}).items():
            if artifact["type"] == "aws:cloudformation:stack":
                _check_target(name, artifact)
    reports = json.loads((directory / "validation-report.json").read_text())["pluginReports"]
    acknowledged = [
        {"finding": each["ruleName"], "where": construct["constructPath"], "reason": each["reason"]}
        for report in reports
        for each in report["suppressedViolations"]
        for construct in each["violatingConstructs"]
    ]
    return Synthesis(templates, sorted(acknowledged, key=lambda each: (each["where"], each["finding"])))


def _check_target(name: str, artifact: Mapping[str, Any]) -> None:
    """Check that a stack is deployed under its template's name, with the caller's account and region."""
    deployed_as = artifact.get("properties", {}).get("stackName", name)
    if deployed_as != name:
        raise HelloQueueError(
            f"stack {name} is deployed as {deployed_as}: the review cannot tell it from another stack"
        )
    if artifact["environment"] != "aws://unknown-account/unknown-region":
        raise HelloQueueError(
            f"stack {name} is bound to {artifact['environment']}, which the golden templates do not show"
        )


def render(syntheses: Mapping[str, Synthesis]) -> dict[str, str]:
    """The golden files: texts by file name. A variant has only the stacks that differ from the default's."""
    default = syntheses[DEFAULT].templates
    files = {
        f"{variant}/{stack}.yaml": as_yaml(template)
        for variant, synthesis in syntheses.items()
        for stack, template in synthesis.templates.items()
        if variant == DEFAULT or template != default.get(stack)
    }
    return {**files, ACKNOWLEDGMENTS: as_yaml(acknowledgments(syntheses))}


def acknowledgments(syntheses: Mapping[str, Synthesis]) -> list[dict[str, str]]:
    """Every acknowledgment once, with the first variant that has it."""
    entries: dict[tuple[str, str], dict[str, str]] = {}
    for variant, synthesis in syntheses.items():
        for each in synthesis.acknowledgments:
            entries.setdefault((each["where"], each["finding"]), {**each, "with": variant})
    return list(entries.values())


class _Dumper(yaml.SafeDumper):
    """Writes intrinsic functions on one line, and repeated values in full instead of as YAML aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        intrinsic = len(mapping) == 1 and next(iter(mapping)) in ("Ref", "Fn::GetAtt", "Fn::Join", "Fn::Sub")
        return super().represent_mapping(tag, mapping, flow_style=intrinsic or flow_style)


def as_yaml(value: Any) -> str:
    """The value as YAML, in its own order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)

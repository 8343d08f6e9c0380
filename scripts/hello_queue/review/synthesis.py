"""The templates of the working tree: synthesized, and written so that people like to read them."""

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

GOLDEN = ROOT / "tests/golden"

APP = "python3 app.py"
DEFAULT = "default"
VARIANTS: Mapping[str, Mapping[str, str]] = {
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
"""The settings that change rights or resources, each as context for the app: on top of what cdk.json has, so each says
all that has to go together."""

LEDGER = "acknowledgments.yaml"

Template = Mapping[str, Any]
Templates = Mapping[str, Template]
"""Templates by the names of their stacks."""


@dataclass(frozen=True)
class Synthesis:
    """What the app makes of one variant's settings."""

    templates: Templates
    acknowledgments: list[dict[str, str]]
    """Each with ``finding``, ``where`` and ``reason``."""


def synthesize(variants: Mapping[str, Mapping[str, str]] = VARIANTS, root: Path = ROOT) -> dict[str, Synthesis]:
    """Run the app of a working tree for each variant, with the context that its cdk.json has.

    Raises:
        HelloQueueError: the app refuses; its own words are in the message.
    """
    project = json.loads((root / "cdk.json").read_text())
    if project["app"] != APP:
        raise HelloQueueError(f"cdk.json runs {project['app']!r}, not {APP!r}: a person must review what that deploys")
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
                _check_place(name, artifact)
    reports = json.loads((directory / "validation-report.json").read_text())["pluginReports"]
    excused = [
        {"finding": each["ruleName"], "where": construct["constructPath"], "reason": each["reason"]}
        for report in reports
        for each in report["suppressedViolations"]
        for construct in each["violatingConstructs"]
    ]
    return Synthesis(templates, sorted(excused, key=lambda each: (each["where"], each["finding"])))


def _check_place(name: str, artifact: Mapping[str, Any]) -> None:
    """See that a stack goes where its template's name says, and where the caller's credentials do."""
    deployed_as = artifact.get("properties", {}).get("stackName", name)
    if deployed_as != name:
        raise HelloQueueError(f"stack {name} is deployed as {deployed_as}: a review could not tell it from another one")
    if artifact["environment"] != "aws://unknown-account/unknown-region":
        raise HelloQueueError(
            f"stack {name} is bound to {artifact['environment']}, which the golden templates do not show"
        )


def render(syntheses: Mapping[str, Synthesis]) -> dict[str, str]:
    """The golden files: their texts by their names. A variant has only the stacks that differ from the default's."""
    default = syntheses[DEFAULT].templates
    files = {
        f"{variant}/{stack}.yaml": as_yaml(template)
        for variant, synthesis in syntheses.items()
        for stack, template in synthesis.templates.items()
        if variant == DEFAULT or template != default.get(stack)
    }
    return {**files, LEDGER: as_yaml(ledger(syntheses))}


def ledger(syntheses: Mapping[str, Synthesis]) -> list[dict[str, str]]:
    """Every acknowledgment once, with the variant in which it comes up first."""
    entries: dict[tuple[str, str], dict[str, str]] = {}
    for variant, synthesis in syntheses.items():
        for each in synthesis.acknowledgments:
            entries.setdefault((each["where"], each["finding"]), {**each, "with": variant})
    return list(entries.values())


class _Dumper(yaml.SafeDumper):
    """Writes intrinsic functions on one line, and leaves out the aliases that YAML has for repeated values."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        intrinsic = len(mapping) == 1 and next(iter(mapping)) in ("Ref", "Fn::GetAtt", "Fn::Join", "Fn::Sub")
        return super().represent_mapping(tag, mapping, flow_style=intrinsic or flow_style)


def as_yaml(value: Any) -> str:
    """The value as YAML, in the order that it has."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)

"""What an app synthesizes: the whole cloud assembly, as far as it decides what is deployed."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Template = Mapping[str, Any]
Templates = Mapping[str, Template]
"""Templates by stack name."""

_LARGEST_FILE = 1_000_000
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Synthesis:
    """What the app synthesizes for one variant.

    Attributes:
        templates: the templates by stack name.
        acknowledgments: the acknowledged cdk-nag findings, each with `finding`, `where` and `reason`, and the `id` of
            the resource, as stack/logical id.
        facts: what else decides about the deployment, such as termination protection, by stack or asset.
        assets: the files of each asset that is not a template, by path.
        hashes: the name of each of these assets, by the hash that templates refer to it by.
        plugins: the names of the validation plugins that ran.
        violations: what these plugins refuse, so that the app fails: as acknowledgments, described by `reason`.
    """

    templates: Templates
    acknowledgments: list[dict[str, str]]
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    assets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    plugins: frozenset[str] = frozenset()
    violations: list[dict[str, str]] = field(default_factory=list)


def read_assembly(directory: Path, *, failed: bool = False) -> Synthesis:
    """Read a cloud assembly with the assemblies in it.

    Args:
        directory: the folder of the assembly.
        failed: whether the app failed because of what its validation found.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError: it is incomplete or invalid.
    """
    templates: dict[str, Template] = {}
    facts: dict[str, Mapping[str, Any]] = {}
    assets: dict[str, Mapping[str, str]] = {}
    hashes: dict[str, str] = {}
    logical_ids: dict[str, str] = {}
    artifacts = list(_artifacts(directory))
    template_files = {artifact.get("properties", {}).get("templateFile") for *_, artifact in artifacts}
    for folder, name, artifact in artifacts:
        kind, properties = artifact["type"], artifact.get("properties", {})
        if kind == "aws:cloudformation:stack":
            stack = properties.get("stackName", name)
            if stack in templates:
                raise ValueError(f"two stacks are deployed as {stack}")
            templates[stack] = readable(json.loads((folder / properties["templateFile"]).read_text()))
            facts[f"stack {stack}"] = _normal({**properties, "stackName": None, "environment": artifact["environment"]})
            logical_ids |= _logical_ids(folder, stack, artifact)
        elif kind == "cdk:asset-manifest":
            content = json.loads((folder / properties["file"]).read_text())
            # Docker images have no test here: whatever they contain is a fact that no rule calls harmless.
            for title, images in content.get("dockerImages", {}).items():
                facts[f"image {title}"] = images
            for hash_, asset in content["files"].items():
                title, path = str(asset.get("displayName", "asset")), asset["source"].get("path", "")
                while title in hashes.values() and hashes.get(hash_) != title:
                    title += "+"
                destinations = list(asset["destinations"].values())
                facts[f"asset {title}"] = _normal({**asset, "displayName": None, "destinations": destinations})
                if path not in template_files:
                    if not _HASH.fullmatch(hash_):
                        raise ValueError(f"asset {title} has the hash {hash_!r}")
                    hashes[hash_], assets[title] = title, dict(_files(folder, path))
        elif kind not in ("cdk:tree", "cdk:feature-flag-report", "cdk:cloud-assembly"):
            facts[f"{kind} {name}"] = _normal(properties)
    report = json.loads((directory / "validation-report.json").read_text())["pluginReports"]
    suppressed = [each for plugin in report for each in plugin.get("suppressedViolations", [])]
    refusing = [plugin for plugin in report if failed and plugin["conclusion"] == "failure"]
    violations = [each for plugin in refusing for each in plugin["violations"]]
    return Synthesis(
        # The CDK does not deploy a stack without resources: that of the workers, with workers=none.
        {name: template for name, template in templates.items() if template.get("Resources")},
        _by_construct(suppressed, "reason", logical_ids),
        facts,
        assets,
        hashes,
        frozenset(plugin["pluginName"] for plugin in report),
        _by_construct(violations, "description", logical_ids),
    )


def _by_construct(
    entries: list[Mapping[str, Any]], reason: str, logical_ids: Mapping[str, str]
) -> list[dict[str, str]]:
    """The entries of a validation report, one for each construct."""
    found = [
        {
            "finding": str(each["ruleName"]),
            "where": str(construct["constructPath"]),
            "reason": str(each[reason]),
            "id": logical_ids.get(construct["constructPath"], construct["constructPath"]),
        }
        for each in entries
        for construct in each["violatingConstructs"]
    ]
    return sorted(found, key=lambda each: (each["where"], each["finding"]))


def _artifacts(directory: Path) -> Iterator[tuple[Path, str, Mapping[str, Any]]]:
    manifest = json.loads((directory / "manifest.json").read_text())
    if manifest.get("missing"):
        raise ValueError("the app looks up values in AWS, which nobody can review")
    for name, artifact in manifest.get("artifacts", {}).items():
        yield directory, name, artifact
        if artifact["type"] == "cdk:cloud-assembly":
            yield from _artifacts(directory / artifact["properties"]["directoryName"])


def _normal(value: Any) -> Any:
    """The value without what changes with each template: its hash, and the names of files in the assembly."""
    if isinstance(value, Mapping):
        return {key: _normal(each) for key, each in value.items() if key not in ("templateFile", "path")}
    if isinstance(value, list):
        return [_normal(each) for each in value]
    return _HASH.sub("(hash)", value) if isinstance(value, str) else value


def _logical_ids(folder: Path, stack: str, artifact: Mapping[str, Any]) -> dict[str, str]:
    """Where each construct is in the template: stack/logical id by construct path."""
    file = artifact.get("additionalMetadataFile")
    metadata = json.loads((folder / file).read_text()) if file else artifact.get("metadata", {})
    return {
        path.removeprefix("/"): f"{stack}/{entry['data']}"
        for path, entries in metadata.items()
        for entry in entries
        if entry["type"] == "aws:cdk:logicalId"
    }


def _files(folder: Path, path: str) -> Iterator[tuple[str, str]]:
    """The files of an asset, each as text with its mode; a link is its target, and is not followed."""
    source = folder / path
    if not source.resolve().is_relative_to(folder.resolve().parent):
        yield path, "a file outside the assembly, which the review does not read"
        return
    for file in sorted([source, *source.rglob("*")]):
        name = str(file.relative_to(source)) if file != source else source.name
        if file.is_symlink():
            yield name, f"a link to {file.readlink()}"
        elif file.is_file():
            size, executable = file.stat().st_size, " executable" if os.access(file, os.X_OK) else ""
            content = file.read_bytes()
            try:
                text = content.decode() if size < _LARGEST_FILE else None
            except UnicodeDecodeError:
                text = None
            if text is None:
                text = f"{size} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}"
            yield f"{name}{executable}", text


def readable(template: Any) -> Template:
    """The template with a shape that every rule can rely on.

    Each resource has a type, and properties that are a mapping. What is not a resource, such as Fn::ForEach, becomes
    one of a type that no rule knows: it needs a decision.
    """
    if not isinstance(template, Mapping):
        return {"Resources": {"Template": _unknown(template)}}
    resources = template.get("Resources", {})
    if not isinstance(resources, Mapping):
        resources = {"Resources": resources}
    return {**template, "Resources": {str(name): _resource(each) for name, each in resources.items()}}


def _resource(resource: Any) -> Mapping[str, Any]:
    if not isinstance(resource, Mapping) or not isinstance(resource.get("Type"), str):
        return _unknown(resource)
    if not isinstance(resource.get("Properties", {}), Mapping):
        return {**resource, "Properties": {"(not readable)": resource["Properties"]}}
    return resource


def _unknown(content: Any) -> Mapping[str, Any]:
    return {"Type": "(not readable)", "Properties": {"content": content}}

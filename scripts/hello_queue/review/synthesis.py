"""Synthesizes a working tree with every variant of the settings, and writes the YAML that reviewers read."""

from __future__ import annotations

import itertools
import json
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hello_queue.errors import UsageError
from hello_queue.project import ROOT
from hello_queue.review.assembly import Synthesis, read_assembly
from hello_queue.review.masking import masked
from hello_queue.review.naming import in_words_of
from hello_queue.review.sandbox import run_python

GOLDEN = "tests/golden"
"""The folder of the golden files, relative to the working tree."""

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
variant sets everything that must go together. tests/golden has their templates."""

_FLAGS: tuple[Mapping[str, str], ...] = (
    {"fifo": "true"},
    {"console_access": "true", "password_reset_required": "false"},
    {"workers": "lambda"},
    {"keep_data": "true"},
    {"alarm_email": "alarms@example.com"},
    {"administrator_access": "false"},
    {"second_access_key": "2", "access_key": "1"},
    {"deployment": "staging"},
)
_OTHERS = {"group_name": "Owners", "user_name": "Owner", "queue_name": "jobs", "access_key": "7"}
_OTHERS |= {"delay_seconds": "9", "visibility_timeout_seconds": "900", "retention_seconds": "86400"}
_OTHERS |= {"max_receive_count": "3", "alarm_dead_letters": "2", "alarm_age_seconds": "300", "alarm_in_flight": "90"}
_OTHERS |= {"worker_timeout_seconds": "7", "worker_memory_mb": "256", "worker_concurrency": "5"}
_OTHERS |= {"worker_batch_size": "5", "workers": "lambda", "worker_handler": "example:main"}


def _more_variants() -> dict[str, dict[str, str]]:
    """Five combinations, in which each two flags are on together, and each is on without the other.

    Each flag is on in another three of the five, and two such sets always overlap without being equal.
    """
    sets = list(itertools.combinations(range(5), 3))[: len(_FLAGS)]
    found = {}
    for number in range(5):
        on = [flag for rows, flag in zip(sets, _FLAGS, strict=True) if number in rows]
        settings = {name: value for flag in on for name, value in flag.items()}
        if settings.get("fifo") and number != 0:
            settings["content_based_deduplication"] = "true"
        if "second_access_key" not in settings:
            settings |= {"access_key": "0", "second_access_key": "0"}
        found[" + ".join(next(iter(flag)) for flag in on)] = settings
    names = {**_OTHERS, "second_access_key": "0", "worker_batch_window_seconds": "9", "fifo": "false"}
    pollers = {"workers": "lambda", "worker_pollers_min": "2", "worker_pollers_max": "20"}
    return {**found, "other names and numbers": names, "worker_pollers_min": pollers}


REVIEWED: Variants = {**VARIANTS, **_more_variants()}
"""The variants that a review compares."""

ACKNOWLEDGMENTS = "acknowledgments.yaml"


class RefusedError(Exception):
    """The app refuses a variant. The message is its last line, or what fails its validation."""


_AS_THE_CLI = {"CDK_DEFAULT_ACCOUNT": "111122223333", "CDK_DEFAULT_REGION": "us-east-1"}
_CONTEXT_OF_THE_CLI = {"aws:cdk:bundling-stacks": ["**"]}
"""What `cdk deploy` tells every app. The account is an example."""


def synthesize(
    variants: Variants = REVIEWED,
    root: Path = ROOT,
    *,
    isolated: bool = True,
    must_be_valid: bool = True,
    directory: Path | None = None,
) -> dict[str, Any]:
    """Run the app of a working tree as cdk.json says, for each variant.

    Args:
        variants: the first one is what deploys: without settings beside those of cdk.json.
        isolated: whether the app is kept away from the caller's variables, network and files.
        must_be_valid: whether a variant that fails validation is refused; otherwise it has `violations`.
        directory: an empty folder that keeps the cloud assemblies, the first one in its folder ``0``; None: they are
            removed.

    Returns:
        What it synthesizes for each variant, or why not (RefusedError).

    Raises:
        UsageError: cdk.json runs what the review cannot run; or the app fails with the settings in cdk.json.
    """
    try:
        project = json.loads((root / "cdk.json").read_text())
        saved = root / "cdk.context.json"
        context = {**(json.loads(saved.read_text()) if saved.exists() else {}), **project.get("context", {})}
        python, *app = shlex.split(project["app"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"cdk.json cannot be read: {type(error).__name__}: {error}") from None
    if python not in ("python", "python3") or not app or not app[0].endswith(".py"):
        raise UsageError(
            f"cdk.json runs {project['app']!r}, which is no Python script: review by hand what that deploys"
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        directory = directory or Path(name)
        printed = run_python(
            [str(Path(__file__).with_name("run_app.py")), str(directory), *app],
            root=root,
            directory=directory,
            variables={**_AS_THE_CLI, "CDK_CONTEXT_JSON": json.dumps({**context, **_CONTEXT_OF_THE_CLI})},
            stdin=json.dumps(variants),
            isolated=isolated,
        )
        found = {variant: _read(directory, number, printed) for number, variant in enumerate(variants)}
    if must_be_valid:
        found = {variant: _refused_if_invalid(each) for variant, each in found.items()}
    if isinstance(found[DEFAULT], RefusedError):
        raise UsageError(f"the app of {root} fails: {found[DEFAULT]} (python3 app.py shows more)")
    return found


def _read(directory: Path, number: int, printed: str) -> Synthesis | RefusedError:
    error = directory / f"{number}.error"
    try:
        if error.exists():
            text = error.read_text()
            if "ValidationFailed" in text:
                invalid = read_assembly(directory / str(number), failed=True)
                if invalid.violations:
                    return invalid
            return RefusedError(_last_line(text))
        if not (directory / str(number) / "manifest.json").exists():
            return RefusedError(f"it writes no cloud assembly; it prints: {_last_line(printed)}")
        return read_assembly(directory / str(number))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as broken:
        return RefusedError(f"its cloud assembly is invalid: {type(broken).__name__}: {broken}")


def _refused_if_invalid(synthesis: Synthesis | RefusedError) -> Synthesis | RefusedError:
    if isinstance(synthesis, RefusedError) or not synthesis.violations:
        return synthesis
    first, *others = (f"{each['finding']} on {each['where']}" for each in synthesis.violations)
    more = f" and {len(others)} more" if others else ""
    return RefusedError(f"validation refuses {first[:300]}{more}: correct it, or acknowledge it with its reason")


def _last_line(text: str) -> str:
    return masked(([line.strip() for line in text.splitlines() if line.strip()] or ["nothing"])[-1])[:500]


def render(syntheses: Mapping[str, Synthesis]) -> dict[str, str]:
    """The golden files: texts by file name. A variant has only the stacks that differ from the default's."""
    default = syntheses[DEFAULT].templates
    golden = {variant: syntheses[variant] for variant in VARIANTS if variant in syntheses}
    files = {
        f"{variant}/{stack}.yaml": as_yaml(template)
        for variant, synthesis in golden.items()
        for stack, template in synthesis.templates.items()
        if variant == DEFAULT or template != default.get(stack)
    }
    return {**files, ACKNOWLEDGMENTS: as_yaml(acknowledgments(golden))}


def acknowledgments(
    syntheses: Mapping[str, Synthesis], words: Mapping[str, Mapping[str, str]] | None = None
) -> list[dict[str, str]]:
    """Every acknowledgment once, with the first variant that has it.

    Args:
        words: by variant, the names of its stacks with those that they have with the default settings.
    """
    entries: dict[tuple[str, str], dict[str, str]] = {}
    for variant, synthesis in syntheses.items():
        for each in synthesis.acknowledgments:
            where = in_words_of(each["where"], (words or {}).get(variant, {}))
            entry = {"finding": each["finding"], "where": where, "reason": each["reason"], "with": variant}
            entries.setdefault((where, each["finding"]), entry)
    return list(entries.values())


def stale_files(syntheses: Mapping[str, Synthesis], root: Path) -> dict[str, str | None]:
    """The golden files that are not what the code makes, with what they should be; None: they should not be."""
    fresh, folder = render(syntheses), root / GOLDEN
    existing = {str(path.relative_to(folder)): path.read_text(errors="replace") for path in folder.rglob("*.yaml")}
    existing.pop("accepted.yaml", None)
    names = sorted(fresh.keys() | existing.keys())
    return {name: fresh.get(name) for name in names if fresh.get(name) != existing.get(name)}


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

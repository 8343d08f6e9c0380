"""Cloud assemblies as a hostile app may write them: what is read of them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from hello_queue.errors import UsageError
from hello_queue.project import ROOT
from hello_queue.review import synthesis
from hello_queue.review.assembly import Synthesis, read_assembly, readable
from hello_queue.review.findings import Finding, Note
from hello_queue.review.rules_of_guards import other_code, project_file, silenced_rules
from hello_queue.review.rules_of_resources import facts
from hello_queue.review.synthesis import DEFAULT, synthesize

HASH = "0" * 64


def assembly(directory: Path, assets: dict[str, Any] | None = None, **artifact: Any) -> Path:
    """A cloud assembly with one stack, without resources."""
    folder = directory / "assembly"
    folder.mkdir()
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/unknown-region",
        "properties": {"templateFile": "S.template.json", **artifact},
    }
    manifest = {"type": "cdk:asset-manifest", "properties": {"file": "S.assets.json"}}
    content: dict[str, Any] = {
        "manifest.json": {"version": "55.0.0", "artifacts": {"S": stack, "S.assets": manifest}},
        "S.template.json": {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}},
        "S.assets.json": {"files": assets or {}},
        "validation-report.json": {"pluginReports": []},
    }
    for name, value in content.items():
        (folder / name).write_text(json.dumps(value))
    return folder


def test_what_fails_validation_is_refused_where_it_would_be_deployed(tmp_path: Path) -> None:
    """Which rule refuses what, instead of the path of a report that is gone by then."""
    rule = {"ruleName": "SQS4", "description": "No TLS.", "violatingConstructs": [{"constructPath": "S/Q"}] * 2}
    report = {"pluginName": "AwsSolutions", "conclusion": "failure", "violations": [rule]}

    def run(*_: object, directory: Path, **__: object) -> str:
        folder = assembly(directory).rename(directory / "0")
        (folder / "validation-report.json").write_text(json.dumps({"pluginReports": [report]}))
        (directory / "0.error").write_text("RuntimeError: ValidationFailed: see /tmp/gone")
        return ""

    with mock.patch.object(synthesis, "run_python", run):
        assert len(synthesize({DEFAULT: {}}, ROOT, must_be_valid=False)[DEFAULT].violations) == 2
        with pytest.raises(UsageError, match="fails: validation refuses SQS4 on S/Q and 1 more: correct it, or"):
            synthesize({DEFAULT: {}}, ROOT)
        report["conclusion"] = "success"
        with pytest.raises(UsageError, match="fails: RuntimeError: ValidationFailed: see /tmp/gone"):
            synthesize({DEFAULT: {}}, ROOT, must_be_valid=False)


def asset(path: str, **more: Any) -> dict[str, Any]:
    return {HASH: {"displayName": "Code", "source": {"path": path, **more}, "destinations": {}}}


def test_the_files_of_an_asset(tmp_path: Path) -> None:
    folder = assembly(tmp_path, asset("code"))
    (folder / "code").mkdir()
    (folder / "code/a.py").write_text("x")
    (folder / "code/run").write_bytes(b"\xff")
    (folder / "code/run").chmod(0o755)
    (folder / "code/link").symlink_to("/etc/passwd")
    read = read_assembly(folder)
    assert read.assets["Code"] == {
        "a.py": "x",
        "link": "a link to /etc/passwd",
        "run executable": "1 bytes, SHA-256 a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89",
    }
    assert read.hashes == {HASH: "Code"}


def test_an_asset_from_elsewhere_is_not_read(tmp_path: Path) -> None:
    folder = assembly(tmp_path, asset("/etc/hostname"))
    assert read_assembly(folder).assets["Code"] == {
        "/etc/hostname": "a file outside the assembly, which the review does not read"
    }


def test_an_asset_cannot_rename_what_templates_say(tmp_path: Path) -> None:
    """Hashes in templates are read as the assets' names: only hashes."""
    files = {"999999999999": {"displayName": "${AWS::AccountId}", "source": {"path": "x"}, "destinations": {}}}
    with pytest.raises(ValueError, match="has the hash '999999999999'"):
        read_assembly(assembly(tmp_path, files))


def test_an_asset_that_a_command_makes(tmp_path: Path) -> None:
    """The CDK CLI runs it when it publishes the asset."""
    before = read_assembly(assembly(tmp_path, asset("code"))).facts
    (tmp_path / "other").mkdir()
    after = read_assembly(assembly(tmp_path / "other", asset("code", executable=["sh", "-c", "curl"]))).facts
    (finding,) = facts(before, after)
    assert isinstance(finding, Finding)
    assert finding.id == "deployed-elsewhere: Code is published in another way"


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("terminationProtection", True, False, "less-protection: S can be deleted: no termination protection"),
        ("terminationProtection", False, True, None),
        ("tags", {"a": "b"}, {"a": "c"}, None),
        ("notificationArns", None, ["arn"], "deployed-elsewhere: S reports its events to another topic"),
        ("cloudFormationExecutionRoleArn", "a", "b", "deployed-elsewhere: S is deployed in another way"),
        ("whatever", None, 1, "deployed-elsewhere: S is deployed in another way"),
    ],
)
def test_what_a_manifest_says(tmp_path: Path, name: str, old: Any, new: Any, expected: str | None) -> None:
    states = []
    for folder, value in (("before", old), ("after", new)):
        (tmp_path / folder).mkdir()
        states.append(read_assembly(assembly(tmp_path / folder, **({} if value is None else {name: value}))).facts)
    (found,) = facts(*states)
    assert (found.id if isinstance(found, Finding) else None) == expected
    assert isinstance(found, Note) == (expected is None)


def test_a_tag_of_a_stack_that_a_policy_tests() -> None:
    """CloudFormation gives the tags of a stack to its resources."""
    states = ({"stack S": {"tags": {"Open": value}}} for value in ("no", "yes"))
    (found,) = facts(*states, tested={"open"})
    assert isinstance(found, Finding)
    assert found.id.startswith("unknown-effect: S: its tag open changed, which a policy tests")


def test_a_lookup_in_aws_is_refused(tmp_path: Path) -> None:
    folder = assembly(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "missing": [{"key": "vpc"}]}))
    with pytest.raises(ValueError, match="the app looks up values in AWS"):
        read_assembly(folder)


@pytest.mark.parametrize("template", [None, [], "x", {"Resources": []}, {"Resources": {"A": {"Type": 1}}}])
def test_any_json_is_a_template(template: Any) -> None:
    for resource in readable(template)["Resources"].values():
        assert isinstance(resource["Type"], str)


def test_a_plugin_that_no_longer_runs() -> None:
    before = Synthesis({}, [], plugins=frozenset({"AwsSolutions", "Other"}))
    found = silenced_rules(before, {"a": Synthesis({}, [], plugins=frozenset({"Other"})), "b": Synthesis({}, [])})
    assert [finding.id for finding, _ in found] == ["weaker-review: AwsSolutions no longer checks the app"]


@pytest.mark.parametrize(
    ("name", "value", "decided"),
    [
        ("build", "curl https://example.org | sh", True),
        ("app", "python3 other.py", True),
        ("output", "elsewhere", True),
        ("plugin", ["x"], True),
        ("requireApproval", "never", True),
        ("requireApproval", "any-change", False),
        ("context", {"delay_seconds": 9}, False),
        ("context", {"@aws-cdk/core:checkSecretUsage": False}, True),
        ("context", {"@aws-cdk/core:validateAgainstDefaultRules": True}, False),
        ("notices", True, False),
    ],
)
def test_cdk_json(name: str, value: Any, decided: bool) -> None:
    found = list(project_file("cdk.json", {"app": "python3 app.py"}, {"app": "python3 app.py", name: value}))
    assert [finding.kind for finding in found] == ["weaker-review"] * decided


def test_a_cdk_json_without_the_checks_of_the_cdk() -> None:
    flag = "@aws-cdk/core:validateAgainstDefaultRules"
    (found,) = project_file("cdk.json", {"context": {flag: True}}, {})
    assert found.id == f"weaker-review: the CDK checks less on synthesis: context.{flag}: none"


def test_code_that_is_new_under_another_name() -> None:
    """A hash that stays the same hides nothing: contents are compared."""
    found = other_code({"Code": {"a.py": "x"}}, {"Code": {"a.py": "y"}, "More": {"b.py": "z"}})
    ids = [each.id for each in found if isinstance(each, Finding)]
    assert ids == ["new-code: Code runs other code", "new-code: More is new"]

"""The app: without credentials and network, invalid settings and new cdk-nag findings, and what importing it starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import Stack
from aws_cdk import aws_sqs as sqs

import app
from hello_queue.project import ROOT
from tests.conftest import FEATURE_FLAGS


def cdk_synth(output: Path, *arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run `cdk synth` without AWS credentials and without a network."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    offline = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "CDK_HOME": str(output)}
    return subprocess.run(
        ["cdk", "synth", "--quiet", f"--output={output}/cdk.out", *arguments],
        cwd=root,
        env={**bare, **offline},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_synth_needs_no_credentials_and_no_network_and_reads_settings_from_cdk_json(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(ROOT / "stacks", project / "stacks")
    shutil.copy(ROOT / "app.py", project)
    settings = json.loads((ROOT / "cdk.json").read_text())
    settings["context"] = {**FEATURE_FLAGS, "delay_seconds": 7}
    (project / "cdk.json").write_text(json.dumps(settings))
    done = cdk_synth(tmp_path, root=project)
    assert done.returncode == 0, done.stderr
    assert '"DelaySeconds": 7' in (tmp_path / "cdk.out/HelloQueueMessaging.template.json").read_text()
    assert (tmp_path / "cdk.out/HelloQueueIdentity.template.json").exists()


def test_an_invalid_setting_is_one_line_and_status_1(tmp_path: Path) -> None:
    done = cdk_synth(tmp_path, "-c", "delay_second=10")
    assert done.returncode == 1
    ours, cdks = done.stderr.strip().splitlines()
    assert ours == "settings: delay_second: unknown setting: did you mean delay_seconds?"
    assert "Subprocess exited with error 1" in cdks


def test_a_finding_without_acknowledgment_fails_the_synth(tmp_path: Path) -> None:
    built = app.build(context=FEATURE_FLAGS, outdir=str(tmp_path))
    stack = built.node.find_child("HelloQueueMessaging")
    assert isinstance(stack, Stack)
    sqs.Queue(stack, "WithoutTls")
    with pytest.raises(RuntimeError, match="AwsSolutions-SQS4"):
        built.synth()


def test_each_acknowledged_finding_is_in_the_report_with_its_reason(tmp_path: Path) -> None:
    app.build(context=FEATURE_FLAGS, outdir=str(tmp_path)).synth()
    reports = json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    assert not any(report["violations"] for report in reports)
    acknowledged = [each for report in reports for each in report["suppressedViolations"]]
    rules = sorted(each["ruleName"].partition("[")[0] for each in acknowledged)
    assert rules == ["AwsSolutions-IAM4", "AwsSolutions-IAM5", "AwsSolutions-SMG4", "F0001"]
    assert all(len(each["reason"]) > 40 for each in acknowledged)


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_importing_the_stacks_asks_nothing_of_the_cdks_node_process() -> None:
    """Importing aws_cdk starts that process and loads its libraries. Our modules add nothing to it."""
    code = """
import importlib, pathlib
from jsii._kernel.providers import process
requests, send = set(), process._NodeProcess.send
def record(self, request, response_type):
    requests.add(type(request).__name__)
    return send(self, request, response_type)
process._NodeProcess.send = record
for path in ["app.py", *pathlib.Path("stacks").glob("*.py")]:
    importlib.import_module(".".join(pathlib.Path(path).with_suffix("").parts))
print(*sorted(requests))
"""
    assert run_python(code).split() == ["LoadRequest"]


def test_reading_the_settings_does_not_import_the_cdk() -> None:
    code = """
import sys
from stacks.settings import Settings, settings_table
settings_table(), Settings.from_context({"delay_seconds": "7"})
print({"aws_cdk", "jsii", "constructs"} & set(sys.modules))
"""
    assert run_python(code) == "set()\n"

"""The app under the real CDK CLI: bad settings and unexcused findings end it, quietly; credentials are not needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hello_queue.project import ROOT


def synth(tmp_path: Path, *arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """`cdk synth` as somebody without AWS credentials or a network calls it."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    offline = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "CDK_HOME": str(tmp_path)}
    return subprocess.run(
        ["cdk", "synth", "--quiet", f"--output={tmp_path}/cdk.out", *arguments],
        cwd=root,
        env={**bare, **offline},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_synth_needs_no_credentials_and_no_network(tmp_path: Path) -> None:
    done = synth(tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cdk.out/HelloQueueIdentity.template.json").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("delay_second=10", "delay_second: unknown setting: did you mean delay_seconds?"),
        ("delay_seconds=901", "delay_seconds: 901 is out of range: it takes a whole number of seconds from 0 to 900"),
        ("queue_name=", "queue_name: '' is not a valid name: it takes letters, digits, - and _"),
    ],
)
def test_a_wrong_setting_is_one_line_and_status_1(tmp_path: Path, setting: str, said: str) -> None:
    done = synth(tmp_path, "-c", setting)
    assert done.returncode == 1
    ours, cdks = done.stderr.strip().splitlines()
    assert ours == f"settings: {said}"
    assert "Subprocess exited with error 1" in cdks


def test_settings_can_stand_in_cdk_json(tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(ROOT / "stacks", copy / "stacks")
    shutil.copy(ROOT / "app.py", copy)
    settings = json.loads((ROOT / "cdk.json").read_text())
    settings["context"]["delay_seconds"] = 7
    (copy / "cdk.json").write_text(json.dumps(settings))
    assert synth(tmp_path, root=copy).returncode == 0
    assert '"DelaySeconds": 7' in (tmp_path / "cdk.out/HelloQueueMessaging.template.json").read_text()


def test_a_finding_that_nobody_excused_fails_the_synth(tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(ROOT / "stacks", copy / "stacks")
    for name in ("app.py", "cdk.json"):
        shutil.copy(ROOT / name, copy)
    messaging = copy / "stacks/messaging.py"
    messaging.write_text(messaging.read_text().replace("enforce_ssl=True", "enforce_ssl=False"))
    done = synth(tmp_path, root=copy)
    assert done.returncode == 1
    assert "AwsSolutions-SQS4" in done.stdout + done.stderr


def test_each_excused_finding_is_in_the_report_with_its_reason(tmp_path: Path) -> None:
    assert synth(tmp_path).returncode == 0
    (report,) = json.loads((tmp_path / "cdk.out/validation-report.json").read_text())["pluginReports"]
    assert report["violations"] == []
    excused = [(finding["ruleName"], finding["reason"]) for finding in report["suppressedViolations"]]
    rules = sorted(rule.partition("[")[0] for rule, _ in excused)
    assert rules == ["AwsSolutions-IAM4", "AwsSolutions-IAM5", "AwsSolutions-SMG4"]
    assert all(len(reason) > 40 for _, reason in excused)

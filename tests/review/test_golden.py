"""The golden templates are what the app synthesizes and deploys, and cfn-lint accepts them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from hello_queue.project import ROOT
from hello_queue.review import synthesis
from hello_queue.review.synthesis import DEFAULT, VARIANTS
from stacks.settings import FIELDS
from tests.conftest import Aws, Synth

GOLDEN = ROOT / synthesis.GOLDEN


def own_settings() -> dict[str, Any]:
    """The settings in cdk.json."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    return {name: value for name, value in context.items() if name in FIELDS}


def test_they_are_up_to_date() -> None:
    command = [sys.executable, "scripts/golden.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("variant", VARIANTS)
def test_they_are_what_the_cdk_synthesizes(synth: Synth, variant: str) -> None:
    templates = synth(**{**own_settings(), **VARIANTS[variant]})
    for path in (GOLDEN / variant).glob("*.yaml"):
        assert yaml.safe_load(path.read_text()) == templates[path.stem]


def test_they_are_what_the_cdk_cli_synthesizes(aws: Aws) -> None:
    """And so what it deploys: cdk.json adds nothing to what app.py synthesizes when run by itself."""
    aws.cdk("synth", "--quiet", **own_settings())
    output = aws.instance.directory / "cdk.out"
    for path in (GOLDEN / DEFAULT).glob("*.yaml"):
        assert yaml.safe_load(path.read_text()) == json.loads((output / f"{path.stem}.template.json").read_text())


def test_cfn_lint_accepts_them() -> None:
    files = sorted(map(str, GOLDEN.glob("*/*.yaml")))
    assert len(files) > 4
    # W3005: the CDK makes a function depend on its role, which it refers to as well.
    done = subprocess.run(
        ["cfn-lint", "--ignore-checks", "W3005", "--", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_each_setting_that_changes_rights_or_resources_has_a_variant() -> None:
    """A new setting can grant rights, so it needs golden templates."""
    changing = {
        "administrator_access",
        "access_key",
        "second_access_key",
        "console_access",
        "fifo",
        "keep_data",
        "alarm_email",
        "workers",
    }
    only_within = {"deployment", "group_name", "user_name", "queue_name", "delay_seconds", "max_receive_count"}
    only_within |= {
        "visibility_timeout_seconds",
        "retention_seconds",
        "password_reset_required",
        "content_based_deduplication",
    }
    only_within |= {"alarm_dead_letters", "alarm_age_seconds", "alarm_in_flight"}
    only_within |= {setting for setting in FIELDS if setting.startswith("worker_")}
    assert {setting for settings in VARIANTS.values() for setting in settings} == changing
    assert changing | only_within == set(FIELDS)


def test_they_have_the_names_that_the_scripts_use() -> None:
    """scripts/ and stacks/ share only these names."""
    from hello_queue.cli.options import DEFAULT_QUEUE
    from hello_queue.constants import IDENTITY_STACK, MESSAGING_STACK

    found = {path.stem: yaml.safe_load(path.read_text()) for path in (GOLDEN / "console_access=true").glob("*.yaml")}
    found |= {MESSAGING_STACK: yaml.safe_load((GOLDEN / DEFAULT / f"{MESSAGING_STACK}.yaml").read_text())}
    assert {"QueueName", "QueueUrl", "QueueArn", "DeadLetterQueueUrl"} <= set(found[MESSAGING_STACK]["Outputs"])
    assert {"AccessKeySecretArn", "ConsolePasswordSecretArn"} <= set(found[IDENTITY_STACK]["Outputs"])
    queues = [
        resource["Properties"]["QueueName"]
        for resource in found[MESSAGING_STACK]["Resources"].values()
        if resource["Type"] == "AWS::SQS::Queue"
    ]
    assert DEFAULT_QUEUE in queues

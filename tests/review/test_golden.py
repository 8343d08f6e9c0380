"""The golden templates are what the app synthesizes and deploys, and cfn-lint accepts them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from hello_queue.project import ROOT, environment_with_tools
from hello_queue.review import synthesis
from hello_queue.review.synthesis import DEFAULT, REVIEWED
from stacks.setting_kinds import kind_of
from stacks.settings import FIELDS
from tests.review.conftest import Repository
from tests.review.templates import golden

GOLDEN = ROOT / synthesis.GOLDEN


def test_they_are_up_to_date(repository: Repository) -> None:
    done = repository.golden("--check")
    assert done.returncode == 0, done.stderr


def test_what_is_out_of_date_is_listed_and_written(repository: Repository) -> None:
    golden = repository.folder / synthesis.GOLDEN
    (golden / "default/HelloQueueIdentity.yaml").write_text("Resources: {}\n")
    (golden / "acknowledgments.yaml").unlink()
    (golden / "other=1").mkdir()
    (golden / "other=1/HelloQueueIdentity.yaml").write_text("Resources: {}\n")
    repository.accept("a finding", "a reason")
    files = ["acknowledgments.yaml", "default/HelloQueueIdentity.yaml", "other=1/HelloQueueIdentity.yaml"]
    stale = repository.golden("--check")
    assert stale.returncode == 1
    expected = [f"tests/golden/{name} is out of date: run `make golden`" for name in files]
    assert stale.stderr.splitlines() == expected
    assert not (golden / "acknowledgments.yaml").exists()

    written = repository.golden()
    verbs = ["wrote", "wrote", "removed"]
    expected = [f"{verb} tests/golden/{name}" for verb, name in zip(verbs, files, strict=True)]
    assert (written.returncode, written.stdout.splitlines()) == (0, expected)
    assert repository.golden("--check").returncode == 0
    assert repository.git("status", "--short").split() == ["??", "tests/golden/accepted.yaml"]


def test_they_are_what_the_cdk_cli_synthesizes(tmp_path: Path) -> None:
    """And so what it deploys, also with another setting, which the review gives to the app in its own way."""
    command = ["cdk", "synth", "--quiet", "--context=workers=lambda", "--output", str(tmp_path / "out")]
    settings = {"CDK_HOME": str(tmp_path), "CDK_DISABLE_CLI_TELEMETRY": "true"}
    done = subprocess.run(command, cwd=ROOT, env=environment_with_tools() | settings, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    for stack, template in golden("workers=lambda").items():
        assert template == json.loads((tmp_path / f"out/{stack}.template.json").read_text())


def test_cfn_lint_accepts_them() -> None:
    files = sorted(map(str, GOLDEN.glob("*/*.yaml")))
    assert len(files) > 4
    # W3005: the CDK makes a function depend on its role, which it refers to as well.
    done = subprocess.run(
        ["cfn-lint", "--ignore-checks", "W3005", "--", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


FLAGS = {
    "administrator_access": "false",
    "console_access": "true",
    "fifo": "true",
    "keep_data": "true",
    "second_access_key": "2",
    "workers": "lambda",
    "alarm_email": "alarms@example.com",
    "deployment": "staging",
}
"""The settings that add or remove resources, or rename all of them, each off its default."""


@pytest.mark.parametrize("one", FLAGS)
@pytest.mark.parametrize("other", FLAGS)
def test_the_review_looks_at_every_pair_of_flags(one: str, other: str) -> None:
    """Both on, both off, and the one without the other."""
    seen = {tuple(v.get(flag) == FLAGS[flag] for flag in (one, other)) for v in REVIEWED.values()}
    assert seen == ({(True, True), (False, False)} if one == other else {(a, b) for a in (0, 1) for b in (0, 1)})


def test_the_review_looks_at_every_setting_off_its_default() -> None:
    """A new setting can grant rights, so it needs a place in a variant."""
    off = {
        name
        for settings in REVIEWED.values()
        for name, value in settings.items()
        if kind_of(FIELDS[name]).parse(value) != FIELDS[name].default
    }
    # Another folder has other code, which would be reported with each change of that folder.
    assert off == set(FIELDS) - {"worker_folder"}


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

"""Whole reviews of a repository: verdict, exit status, acceptance, and what cannot be synthesized."""

from __future__ import annotations

import pytest

from hello_queue.review.synthesis import VARIANTS
from tests.conftest import Synth
from tests.review.conftest import Repository

A_KEY = "__import__('aws_cdk').aws_iam.CfnAccessKey(app.node.find_child('HelloQueueIdentity'), 'New', user_name='ada')"
A_KEY_ID = "new-access-key: HelloQueueIdentity/New"


def test_the_scripts_as_processes(repository: Repository) -> None:
    """With every variant. No `cdk diff --fail-on` and no cdk-nag rule reports a second access key."""
    repository.add_to_app(A_KEY)
    open_ = repository.script("review.py", "--base=HEAD", "--markdown=review.md")
    assert open_.returncode == 1, open_.stderr
    assert open_.stdout.count("DECIDE  ") == 1
    assert f"DECIDE  {A_KEY_ID}\n" in open_.stdout
    assert "**new-access-key**: HelloQueueIdentity/New" in (repository.folder / "review.md").read_text()

    stale = repository.script("golden.py", "--check")
    assert stale.returncode == 1
    assert "tests/golden/default/HelloQueueIdentity.yaml is out of date: run `make golden`\n" in stale.stderr
    written = repository.script("golden.py")
    assert written.returncode == 0
    assert "wrote tests/golden/default/HelloQueueIdentity.yaml\n" in written.stdout
    changed = repository.git("status", "--short", "tests/golden/default")
    assert changed == " M tests/golden/default/HelloQueueIdentity.yaml\n"


def test_nothing_changes(repository: Repository) -> None:
    done = repository.review()
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(": nothing changes in AWS\n")
    assert done.stdout.count("\n") == 1


def test_a_harmless_change(repository: Repository) -> None:
    repository.set(delay_seconds=10)
    done = repository.review()
    assert done.returncode == 0
    verdict, _, rest = done.stdout.partition("\n")
    assert verdict.endswith("nothing needs a decision")
    assert "HelloQueueMessaging  changed in place: AWS::SQS::Queue test: DelaySeconds 5 -> 10" in rest
    assert "[~] DelaySeconds" in rest, "the CDK's own diff follows"


def test_a_decision_and_its_acceptance(repository: Repository) -> None:
    repository.add_to_app(A_KEY)
    open_ = repository.review("--fail-on", "data-loss")
    assert open_.returncode == 0, "nothing of this kind"
    assert "1 finding needs a decision" in open_.stdout

    repository.accept(A_KEY_ID, "rotation of November")
    repository.commit("the change, with its acceptance")
    accepted = repository.review("--fail-on", "data-loss,new-access-key", base="HEAD~1")
    assert accepted.returncode == 0
    assert f"ACCEPTED  {A_KEY_ID}\n          reason: rotation of November" in accepted.stdout


@pytest.mark.parametrize(
    "step",
    [
        {"second_access_key": 2},
        {"access_key": 2, "second_access_key": 1},
        {"access_key": 2},
        {"administrator_access": False, "console_access": True},
    ],
    ids=str,
)
def test_every_variant_is_valid_with_settings_in_cdk_json(synth: Synth, step: dict[str, object]) -> None:
    """The variants are added to a team's own settings, such as each step of a rotation."""
    for variant in VARIANTS.values():
        assert synth(**{**step, **variant})


def test_an_invalid_setting(repository: Repository) -> None:
    repository.set(delay_seconds=901)
    done = repository.review()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].strip().startswith("settings: delay_seconds: 901 is out of range")
    assert "Traceback" not in done.stderr


def test_an_app_that_fails(repository: Repository) -> None:
    repository.write("app.py", "raise RuntimeError('a bug')")
    done = repository.review()
    assert done.returncode == 1
    assert "the working tree cannot be synthesized" in done.stderr
    assert "a bug" in done.stderr


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ("cdk.Stack(app, 'Mine', stack_name='Other')", "stack Mine is deployed as Other"),
        (
            "cdk.Stack(app, 'Mine', env=cdk.Environment(account='444455556666', region='eu-west-1'))",
            "stack Mine is bound to aws://444455556666/eu-west-1",
        ),
        ("cdk.Stack(cdk.Stage(app, 'Prod'), 'Mine')", "is deployed as Prod-Mine"),
    ],
)
def test_a_stack_whose_target_the_templates_do_not_show(repository: Repository, stack: str, expected: str) -> None:
    topic = "cdk.aws_sns.CfnTopic(stack, 'Topic')"
    build = [
        "def build(**options):",
        "    app = cdk.App(**options)",
        f"    stack = {stack}",
        f"    {topic}",
        "    return app",
    ]
    repository.write("app.py", "\n".join(["import aws_cdk as cdk", *build]))
    done = repository.review()
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_another_command_in_cdk_json(repository: Repository) -> None:
    path = repository.folder / "cdk.json"
    path.write_text(path.read_text().replace("python3 app.py", "python3 other.py"))
    done = repository.review()
    assert done.returncode == 1
    assert "cdk.json runs 'python3 other.py', not 'python3 app.py'" in done.stderr


def test_context_outside_cdk_json(repository: Repository) -> None:
    repository.write("cdk.context.json", '{"console_access": "true"}')
    assert "cdk.context.json has context that the golden templates do not show" in repository.review().stderr

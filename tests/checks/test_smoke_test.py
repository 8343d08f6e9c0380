"""The smoke test passes on what was deployed, and fails on what was changed since."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hello_queue.aws.clients import client
from hello_queue.checks.deployment import redeploy
from hello_queue.checks.identity import identity_checks
from hello_queue.checks.messaging import messaging_checks
from hello_queue.constants import IDENTITY_STACK, MESSAGING_STACK, WORKERS_STACK
from hello_queue.deployment import access_key
from hello_queue.deployment.stacks import DeployedStack
from tests.checks.conftest import failures, make_checks
from tests.checks.test_rights import BEYOND_THE_QUEUE
from tests.conftest import Aws

pytestmark = pytest.mark.usefixtures("environment")


def stack(name: str) -> DeployedStack:
    return DeployedStack(client("cloudformation"), name, "")


def queue_failures() -> list[str]:
    return failures(messaging_checks(client("sqs"), stack(MESSAGING_STACK)))


def identity_failures() -> list[str]:
    return failures(identity_checks(client("iam"), stack(IDENTITY_STACK)))


def queue_url(aws: Aws, name: str = "test") -> str:
    return str(aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])


def test_it_passes_on_what_was_deployed(aws: Aws, deployed_queue: str) -> None:
    done = aws.script("smoke_test.py")
    assert done.stdout.endswith(" checks passed, 0 failed, 0 skipped\n")
    assert "  ✓ delivery of a message\n" in done.stdout
    assert "fix" not in done.stdout
    assert "sent a message" in done.stderr
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts += ["ApproximateNumberOfMessagesDelayed"]
    left = aws.client("sqs").get_queue_attributes(QueueUrl=deployed_queue, AttributeNames=counts)["Attributes"]
    assert set(left.values()) == {"0"}


def test_a_failed_check_is_status_1_and_the_report_has_it(aws: Aws) -> None:
    with changed_attribute(aws, "test", "VisibilityTimeout", "31"):
        done = aws.script("smoke_test.py", "--json", "--longest-delay", "0", check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["passed"] is False
    (failed,) = [check for check in report["checks"] if check["passed"] is False]
    assert (failed["name"], failed["group"]) == ("test: VisibilityTimeout", "queue")
    assert failed["fix"] == "npx cdk destroy --all --force && npx cdk deploy --all"
    assert failed["may_be_late"] is True, "SQS may answer with old attributes for a minute"


@pytest.mark.parametrize(
    ("deployment", "local", "command"),
    [
        ("", False, "npx cdk deploy Stack --revert-drift"),
        ("x", False, "npx cdk deploy Stack --revert-drift -c deployment=x"),
        ("x", True, "npx cdk destroy --all --force -c deployment=x && npx cdk deploy --all -c deployment=x"),
    ],
)
def test_the_command_that_mends(deployment: str, local: bool, command: str) -> None:
    assert redeploy("Stack", deployment, local=local) == command


@contextmanager
def changed_attribute(aws: Aws, queue: str, name: str, value: str) -> Iterator[None]:
    sqs, url = aws.client("sqs"), queue_url(aws, queue)
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"].get(name, "")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={name: value})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before})


@pytest.mark.parametrize(
    ("queue", "attribute", "value", "failed"),
    [
        ("test", "DelaySeconds", "0", ["test: DelaySeconds"]),
        ("test", "VisibilityTimeout", "31", ["test: VisibilityTimeout"]),
        ("test", "MessageRetentionPeriod", "60", ["test: MessageRetentionPeriod"]),
        ("test", "SqsManagedSseEnabled", "false", ["test: encrypted (SqsManagedSseEnabled)"]),
        ("test", "RedrivePolicy", "", ["test: redrive"]),
        ("test", "Policy", "", ["test: policy denies plain http", "test: a call over plain http"]),
        ("test-dlq", "DelaySeconds", "1", ["test-dlq: DelaySeconds"]),
        ("test-dlq", "MessageRetentionPeriod", "60", ["test-dlq: MessageRetentionPeriod"]),
        ("test-dlq", "RedriveAllowPolicy", '{"redrivePermission": "allowAll"}', ["test-dlq: redrive allowed"]),
        ("test-dlq", "Policy", "", ["test-dlq: policy denies plain http", "test-dlq: a call over plain http"]),
    ],
)
def test_a_changed_queue_fails(aws: Aws, queue: str, attribute: str, value: str, failed: list[str]) -> None:
    with changed_attribute(aws, queue, attribute, value):
        assert queue_failures() == failed
    assert queue_failures() == []


def test_a_narrower_tls_policy_fails(aws: Aws) -> None:
    sqs, url = aws.client("sqs"), queue_url(aws)
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
    policy["Statement"][0]["Action"] = "sqs:SendMessage"
    with changed_attribute(aws, "test", "Policy", json.dumps(policy)):
        assert queue_failures() == [
            "test: policy denies plain http",
            "test: a call over plain http",
        ]


ADMINISTRATOR_ACCESS = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY_ACCESS = "arn:aws:iam::aws:policy/ReadOnlyAccess"
QUEUE_USER = "arn:aws:iam::111122223333:policy/test-queue-user"
MEMBERSHIP = {"GroupName": "Administrators", "UserName": "Administrator"}


@pytest.mark.parametrize(
    ("change", "undo", "parameters", "failed", "rights_lost"),
    [
        ("remove_user_from_group", "add_user_to_group", MEMBERSHIP, "groups of Administrator", BEYOND_THE_QUEUE),
        (
            "detach_group_policy",
            "attach_group_policy",
            {"GroupName": "Administrators", "PolicyArn": ADMINISTRATOR_ACCESS},
            "policies of group Administrators",
            BEYOND_THE_QUEUE,
        ),
        (
            "attach_group_policy",
            "detach_group_policy",
            {"GroupName": "Administrators", "PolicyArn": READ_ONLY_ACCESS},
            "policies of group Administrators",
            0,
        ),
        (
            "detach_user_policy",
            "attach_user_policy",
            {"UserName": "Administrator", "PolicyArn": QUEUE_USER},
            "policies of Administrator",
            0,
        ),
        (
            "attach_user_policy",
            "detach_user_policy",
            {"UserName": "Administrator", "PolicyArn": READ_ONLY_ACCESS},
            "policies of Administrator",
            0,
        ),
        (
            "create_login_profile",
            "delete_login_profile",
            {"UserName": "Administrator"},
            "console sign-in of Administrator",
            0,
        ),
    ],
)
def test_a_changed_identity_fails(
    aws: Aws, change: str, undo: str, parameters: dict[str, str], failed: str, rights_lost: int
) -> None:
    iam = aws.client("iam")
    password = {"Password": "Not-a-secret-1"} if change == "create_login_profile" else {}
    getattr(iam, change)(**parameters, **password)
    try:
        first, *lost = failures(make_checks())
    finally:
        getattr(iam, undo)(**parameters)
    assert first == failed
    assert len(lost) == rights_lost
    assert failures(make_checks()) == []


def undo(iam: Any) -> None:
    """Remove what the next test adds, as far as it is still there."""
    removals: list[Callable[[], object]] = [
        lambda: iam.detach_group_policy(GroupName="Administrators", PolicyArn=READ_ONLY_ACCESS),
        lambda: iam.delete_group_policy(GroupName="Administrators", PolicyName="in line"),
        lambda: iam.detach_user_policy(UserName="Administrator", PolicyArn=READ_ONLY_ACCESS),
        lambda: iam.delete_user_policy(UserName="Administrator", PolicyName="AdministratorAccess"),
        lambda: iam.remove_user_from_group(GroupName="others", UserName="Administrator"),
        lambda: iam.delete_group(GroupName="others"),
        lambda: iam.delete_login_profile(UserName="Administrator"),
    ]
    for remove in removals:
        with contextlib.suppress(ClientError):
            remove()


def test_the_commands_of_failed_checks_mend_what_somebody_added(aws: Aws, aws_cli: str) -> None:
    iam = aws.client("iam")
    anything = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    iam.attach_group_policy(GroupName="Administrators", PolicyArn=READ_ONLY_ACCESS)
    iam.put_group_policy(GroupName="Administrators", PolicyName="in line", PolicyDocument=anything)
    iam.attach_user_policy(UserName="Administrator", PolicyArn=READ_ONLY_ACCESS)
    iam.put_user_policy(UserName="Administrator", PolicyName="AdministratorAccess", PolicyDocument=anything)
    iam.create_group(GroupName="others")
    iam.add_user_to_group(GroupName="others", UserName="Administrator")
    iam.create_login_profile(UserName="Administrator", Password="Not-a-secret-1")  # noqa: S106 (as it says)
    failed = [check for check in make_checks() if check.passed is False]
    commands = [shlex.split(line) for check in failed for line in check.fix.splitlines()]
    try:
        for program, *arguments in commands:
            assert program == "aws"
            aws.run(aws_cli, "--endpoint-url", aws.instance.variables["AWS_ENDPOINT_URL"], *arguments)
    finally:
        undo(iam)
    assert [check.name for check in failed] == [
        "policies of group Administrators",
        "groups of Administrator",
        "policies of Administrator",
        "console sign-in of Administrator",
    ]
    assert failures(make_checks()) == []


def test_a_wider_policy_of_the_user_fails(aws: Aws) -> None:
    iam = aws.client("iam")
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    before = iam.get_policy(PolicyArn=QUEUE_USER)["Policy"]["DefaultVersionId"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    wide = iam.create_policy_version(PolicyArn=QUEUE_USER, PolicyDocument=document, SetAsDefault=True)["PolicyVersion"]
    assert identity_failures() == ["statements of test-queue-user"]
    iam.create_policy_version(
        PolicyArn=QUEUE_USER,
        PolicyDocument=json.dumps(
            iam.get_policy_version(PolicyArn=QUEUE_USER, VersionId=before)["PolicyVersion"]["Document"]
        ),
        SetAsDefault=True,
    )
    iam.delete_policy_version(PolicyArn=QUEUE_USER, VersionId=wide["VersionId"])
    assert identity_failures() == []


def test_an_error_fails_one_group_and_the_others_are_checked(
    aws: Aws, deployed_queue: str, environment: pytest.MonkeyPatch
) -> None:
    """With an inactive access key."""
    environment.setattr(access_key, "SETTLING_SECONDS", 1)
    iam, (key_id, _) = aws.client("iam"), aws.access_key()
    iam.update_access_key(UserName="Administrator", AccessKeyId=key_id, Status="Inactive")
    try:
        checks = make_checks(longest_delay=60)
    finally:
        iam.update_access_key(UserName="Administrator", AccessKeyId=key_id, Status="Active")
    assert failures(checks) == ["access key in Secrets Manager", "all checks of delivery"]
    assert checks[-2].name == "the key with a wrong secret"
    fix = {check.name: check.fix for check in checks}
    assert fix["access key in Secrets Manager"] == (
        f"aws iam update-access-key --status Active --access-key-id {key_id} --user-name Administrator"
    )
    assert fix["user"] == ""


def test_workers_get_no_test_message(aws: Aws, deployed_queue: str) -> None:
    """Their handler would get it, and it would seem not to be delivered."""
    cloudformation = aws.client("cloudformation")
    template = json.dumps({"Resources": {"Worker": {"Type": "AWS::SQS::Queue"}}})
    cloudformation.create_stack(StackName=WORKERS_STACK, TemplateBody=template)
    try:
        checks = make_checks(longest_delay=60)
    finally:
        cloudformation.delete_stack(StackName=WORKERS_STACK)
    delivery = checks[-1]
    assert (delivery.name, delivery.passed) == ("delivery of a message", None)
    assert "the workers on AWS Lambda would receive the test message" in delivery.found
    assert failures(checks) == []


def test_a_missing_deployment_is_one_line(aws: Aws) -> None:
    done = aws.script("smoke_test.py", "--deployment", "nope", check=False)
    assert done.returncode == 1
    assert "there is no stack nope-HelloQueueMessaging in us-east-1" in done.stderr
    assert done.stderr.count("\n") == 1

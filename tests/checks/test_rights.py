"""The checks of rights pass if the user may use the queue and nothing else, and fail if it may do more or less."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from hello_queue.constants import DEAD_LETTER_ACTIONS, METRICS_ACTIONS, QUEUE_USER_ACTIONS, REDRIVE_TARGET_ACTIONS
from tests.checks.conftest import failures, make_checks
from tests.conftest import Aws, Environment

pytestmark = pytest.mark.usefixtures("environment")

SETTINGS: dict[str, Any] = {"deployment": "rights", "administrator_access": "false", "console_access": "true"}
ACCOUNT = "111122223333"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:rights-test"
USER = "rights-Administrator"

WIDENED = [
    ("sqs:DeleteQueue", QUEUE, "sqs:DeleteQueue on rights-test"),
    ("sqs:PurgeQueue", QUEUE, "sqs:PurgeQueue on rights-test"),
    ("sqs:SetQueueAttributes", QUEUE, "sqs:SetQueueAttributes on rights-test"),
    ("sqs:SendMessage", f"{QUEUE}-dlq", "sqs:SendMessage on rights-test-dlq"),
    ("sqs:GetQueueAttributes", f"{QUEUE}-dlq", "sqs:GetQueueAttributes on rights-test-dlq"),
    ("iam:ListUsers", "*", "iam:ListUsers on *"),
    ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/{USER}", f"iam:CreateAccessKey on user/{USER}"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:*:secret:{USER}/a*", f"on {USER}/access-key"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:*:secret:{USER}/c*", f"on {USER}/console-password"),
]

BEYOND_THE_QUEUE = 17
"""How many checks with the default settings are about rights that the user has as an administrator only."""

CALLABLE = ("sqs:SetQueueAttributes", "sqs:GetQueueAttributes", "iam:ListUsers", "secretsmanager:GetSecretValue")
"""The actions that can be checked without the simulator, by a call that changes nothing."""


@pytest.fixture(scope="module")
def deployed(aws: Aws) -> Iterator[Aws]:
    with aws.deployed(**SETTINGS):
        yield aws


@pytest.fixture(scope="module")
def without_simulator(deployed: Aws) -> Iterator[Environment]:
    """The credentials of a user who may do everything except use the policy simulator."""
    iam = deployed.client("iam")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"},
    ]
    iam.create_user(UserName="deployer")
    iam.put_user_policy(UserName="deployer", PolicyName="all", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    iam.delete_access_key(UserName="deployer", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="deployer", PolicyName="all")
    iam.delete_user(UserName="deployer")


def document(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def use(environment: pytest.MonkeyPatch, credentials: Environment) -> None:
    for name, value in credentials.items():
        assert value
        environment.setenv(name, value)


def test_the_user_may_use_the_queue_and_nothing_else(deployed: Aws) -> None:
    done = deployed.script("smoke_test.py", "--deployment", "rights", "--json")
    report = json.loads(done.stdout)
    assert report["passed"] is True
    rights = [check["right"] for check in report["checks"] if check["right"]]
    allowed = {
        who: {
            (each["action"], each["resource"]) for each in rights if (each["who"], each["decision"]) == (who, "allowed")
        }
        for who in ("user", "operator")
    }
    assert allowed == {
        "user": {(action, "rights-test") for action in QUEUE_USER_ACTIONS},
        "operator": {
            *((action, "rights-test") for action in REDRIVE_TARGET_ACTIONS),
            *((action, "rights-test-dlq") for action in DEAD_LETTER_ACTIONS),
            *((action, "*") for action in METRICS_ACTIONS),
        },
    }
    denied = {f"{each['action']} on {each['resource']}" for each in rights if each["decision"] == "denied"}
    assert all(any(name in each for each in denied) for _, _, name in WIDENED)


def test_calls_decide_if_the_simulator_is_denied(
    deployed: Aws, without_simulator: Environment, environment: pytest.MonkeyPatch
) -> None:
    use(environment, without_simulator)
    checks = make_checks("rights")
    assert failures(checks) == []
    assert sum(check.found == "denied (called)" for check in checks) == 5
    skipped = [check.name for check in checks if "policy simulator" in check.found]
    assert "sqs:DeleteQueue on rights-test" in skipped


@pytest.mark.parametrize(("action", "resource", "name"), WIDENED)
def test_wider_rights_fail(
    deployed: Aws,
    without_simulator: Environment,
    environment: pytest.MonkeyPatch,
    action: str,
    resource: str,
    name: str,
) -> None:
    iam = deployed.client("iam")
    widened = document({"Effect": "Allow", "Action": action, "Resource": resource})
    iam.put_user_policy(UserName=USER, PolicyName="wider", PolicyDocument=widened)
    try:
        simulated = failures(make_checks("rights"))
        use(environment, without_simulator)
        called = failures(make_checks("rights")) if action in CALLABLE else None
    finally:
        iam.delete_user_policy(UserName=USER, PolicyName="wider")
    assert simulated[0] == f"policies of {USER}"
    assert len(simulated) == 2
    assert name in simulated[1]
    assert called in (None, simulated)


def test_a_missing_right_fails(deployed: Aws) -> None:
    iam = deployed.client("iam")
    denied = document({"Effect": "Deny", "Action": "sqs:DeleteMessage", "Resource": "*"})
    iam.put_user_policy(UserName=USER, PolicyName="narrower", PolicyDocument=denied)
    try:
        simulated = failures(make_checks("rights"))
        done = deployed.script("smoke_test.py", "--deployment", "rights", check=False)
    finally:
        iam.delete_user_policy(UserName=USER, PolicyName="narrower")
    assert simulated == [f"policies of {USER}", "sqs:DeleteMessage on rights-test"]
    assert "AccessDenied" in done.stdout
    assert "✗ its deletion" in done.stdout
    setting = "-c deployment=rights"
    assert f"fix       npx cdk destroy --all --force {setting} && npx cdk deploy --all {setting}" in done.stdout
    assert "may still be in the queue, with the author smoke_test.py" in done.stderr
    sqs = deployed.client("sqs")
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName="rights-test")["QueueUrl"])


def test_an_error_of_the_simulator_fails_the_checks_of_one_resource(
    deployed: Aws, environment: pytest.MonkeyPatch
) -> None:
    """The local AWS does not throttle: the error is put in the place of one answer."""
    call = getattr(BaseClient, "_make_api_call")  # noqa: B009 (the stubs do not have it)
    simulated: list[list[str]] = []

    def throttle_the_third(self: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        if operation.startswith("Simulate"):
            simulated.append(parameters["ActionNames"])
            if len(simulated) == 3:
                raise ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, operation)
        return call(self, operation, parameters)

    environment.setattr(BaseClient, "_make_api_call", throttle_the_third)
    checks = make_checks("rights")
    throttled = [check for check in checks if check.passed is False]
    assert [check.name for check in throttled] == [f"{action} on rights-test-dlq" for action in simulated[2]]
    assert all("Rate exceeded (Throttling)" in check.found for check in throttled)
    assert len(simulated) == 12, "the user's and the operator's rights on six resources"
    assert checks[-2].name == "the key with a wrong secret"


def test_a_wider_operator_policy_fails(deployed: Aws) -> None:
    iam, arn = deployed.client("iam"), f"arn:aws:iam::{ACCOUNT}:policy/rights-test-operator"
    before = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    declared = iam.get_policy_version(PolicyArn=arn, VersionId=before)["PolicyVersion"]["Document"]
    wide = document({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=wide, SetAsDefault=True)["PolicyVersion"]
    try:
        failed = failures(make_checks("rights"))
    finally:
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(declared), SetAsDefault=True)
        iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    assert failed[0] == "statements of rights-test-operator"
    assert "sqs:PurgeQueue on rights-test, as an operator" in failed
    assert "sqs:ReceiveMessage on rights-test, as an operator" in failed
    assert "cloudwatch:GetMetricStatistics on *, as an operator" in failed, "it has lost this one"


def test_a_key_of_another_user_fails(deployed: Aws) -> None:
    iam, secretsmanager = deployed.client("iam"), deployed.client("secretsmanager")
    secret = f"{USER}/access-key"
    before = secretsmanager.get_secret_value(SecretId=secret)["SecretString"]
    iam.create_user(UserName="somebody")
    key = iam.create_access_key(UserName="somebody")["AccessKey"]
    content = {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]}
    secretsmanager.put_secret_value(SecretId=secret, SecretString=json.dumps(content))
    try:
        (found,) = [check.found for check in make_checks("rights") if check.name == "access key in Secrets Manager"]
        secretsmanager.put_secret_value(SecretId=secret, SecretString="{}")
        without = make_checks("rights")
    finally:
        secretsmanager.put_secret_value(SecretId=secret, SecretString=before)
        iam.delete_access_key(UserName="somebody", AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName="somebody")
    assert found == "key of somebody"
    assert failures(without) == ["access key in Secrets Manager"]
    assert failures(make_checks("rights")) == []


def test_an_administrator_may_do_everything_because_of_its_group(aws: Aws) -> None:
    found = [check.found for check in make_checks()]
    assert found.count("allowed, as Administrator is in Administrators (simulated)") == BEYOND_THE_QUEUE


def test_an_administrator_without_its_rights_fails(aws: Aws) -> None:
    """The user is in the group, but another policy denies an action."""
    iam = aws.client("iam")
    denied = document({"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"})
    iam.put_user_policy(UserName="Administrator", PolicyName="narrower", PolicyDocument=denied)
    try:
        checks = make_checks()
    finally:
        iam.delete_user_policy(UserName="Administrator", PolicyName="narrower")
    assert "iam:ListUsers on *" in failures(checks)


def test_a_caller_who_may_not_read_the_key_skips_a_check(deployed: Aws, environment: pytest.MonkeyPatch) -> None:
    iam = deployed.client("iam")
    iam.create_user(UserName="reviewer")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "Resource": "*"},
    ]
    iam.put_user_policy(UserName="reviewer", PolicyName="all", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName="reviewer")["AccessKey"]
    use(environment, {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]})
    checks = make_checks("rights")
    iam.delete_access_key(UserName="reviewer", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="reviewer", PolicyName="all")
    iam.delete_user(UserName="reviewer")
    assert failures(checks) == []
    assert any(check.found == "skipped: you may not read the secret" for check in checks)

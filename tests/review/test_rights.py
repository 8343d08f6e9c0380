"""Findings about rights: who may do more than before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hello_queue.review.comparison import Comparison, compare
from tests.review.templates import (
    ARN,
    POLICY,
    USER,
    Change,
    assert_decisions,
    changed,
    compare_changes,
    document,
    golden,
    properties,
    statement,
    tls_only,
    use_the_queue,
)

PLAIN = "administrator_access=false"
TAKES_OVER = (
    "escalation: user Administrator can become administrator through a new version of a policy "
    "(iam:CreatePolicyVersion)"
)


def a_new_action(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Action"].append("sqs:PurgeQueue")


def a_wildcard_in_the_middle(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Action"].append("sqs:*Queue")


def all_queues(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Resource"] = "*"


def a_wildcard_at_the_end_of_the_resource(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Resource"]["Fn::Join"][1][-1] = ":test*"


def not_action(identity: Any, messaging: Any) -> None:
    new = statement(NotAction=["iam:*"])
    del new["Action"]
    properties(identity, POLICY)["PolicyDocument"]["Statement"].append(new)


def not_resource(identity: Any, messaging: Any) -> None:
    new = statement(NotResource=["arn:aws:sqs:*:*:payroll"])
    del new["Resource"]
    properties(identity, POLICY)["PolicyDocument"]["Statement"].append(new)


def a_policy_moved_to_another_principal(identity: Any, messaging: Any) -> None:
    identity["Ada"] = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "ada"}}
    policy = properties(identity, POLICY)
    del policy["Users"]
    policy["Roles"] = [{"Ref": "Ada"}]


def renamed_and_widened_at_once(identity: Any, messaging: Any) -> None:
    identity["Other"] = identity.pop(POLICY)
    properties(identity, "Other")["ManagedPolicyName"] = "innocent"
    properties(identity, "Other")["PolicyDocument"]["Statement"][0]["Action"].append("sqs:DeleteQueue")


def inline_and_wider_instead_of_managed(identity: Any, messaging: Any) -> None:
    policy = identity.pop(POLICY)["Properties"]["PolicyDocument"]
    policy["Statement"][0]["Action"] = ["sqs:S*", *policy["Statement"][0]["Action"]]
    properties(identity, USER)["Policies"] = [{"PolicyName": "inline", "PolicyDocument": policy}]


def a_managed_policy_of_aws(identity: Any, messaging: Any) -> None:
    properties(identity, USER)["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/IAMFullAccess"]


def administrator_access_for_the_user_itself(identity: Any, messaging: Any) -> None:
    arn = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/AdministratorAccess"]]}
    properties(identity, USER)["ManagedPolicyArns"] = [arn]


def anyone_may_send(identity: Any, messaging: Any) -> None:
    tls_only(messaging).append(statement(Principal="*"))


def another_account_may_send_on_a_condition(identity: Any, messaging: Any) -> None:
    condition = {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}
    tls_only(messaging).append(statement(Principal={"AWS": "444455556666"}, Condition=condition))


def a_new_role(identity: Any, messaging: Any) -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "444455556666"}}
    properties_ = {"RoleName": "guest", "AssumeRolePolicyDocument": document(trust)}
    identity["Guest"] = {"Type": "AWS::IAM::Role", "Properties": properties_}


def a_policy_as_text(identity: Any, messaging: Any) -> None:
    text = json.dumps(document(statement(Principal={"Service": "es.amazonaws.com"}, Action="logs:PutLogEvents")))
    resource = {"PolicyName": "p", "PolicyDocument": text}
    messaging["LogPolicy"] = {"Type": "AWS::Logs::ResourcePolicy", "Properties": resource}


def a_policy_as_joined_text(identity: Any, messaging: Any) -> None:
    text = json.dumps(document(statement(Principal={"Service": "es.amazonaws.com"}, Action="logs:PutLogEvents")))
    resource = {"PolicyName": "p", "PolicyDocument": {"Fn::Join": ["", [text[:20], text[20:]]]}}
    messaging["LogPolicy"] = {"Type": "AWS::Logs::ResourcePolicy", "Properties": resource}


def a_lambda_permission(identity: Any, messaging: Any) -> None:
    grant = {"Action": "lambda:InvokeFunction", "FunctionName": "worker", "Principal": "sns.amazonaws.com"}
    messaging["Permission"] = {"Type": "AWS::Lambda::Permission", "Properties": grant}


def a_statement_decided_at_deploy_time(identity: Any, messaging: Any) -> None:
    later = {"Fn::If": ["Later", statement(), {"Ref": "AWS::NoValue"}]}
    properties(identity, POLICY)["PolicyDocument"]["Statement"].append(later)


def a_document_decided_at_deploy_time(identity: Any, messaging: Any) -> None:
    policy = {"PolicyDocument": {"Fn::If": ["Later", document(statement()), {}]}, "PolicyName": "p"}
    identity["P"] = {"Type": "AWS::IAM::UserPolicy", "Properties": {**policy, "UserName": {"Ref": USER}}}


def an_inline_policy_decided_at_deploy_time(identity: Any, messaging: Any) -> None:
    policy = {"PolicyName": "p", "PolicyDocument": document(statement(Action="*"))}
    properties(identity, USER)["Policies"] = [{"Fn::If": ["Later", policy, {"Ref": "AWS::NoValue"}]}]


def a_policy_text_decided_at_deploy_time(identity: Any, messaging: Any) -> None:
    later = {"Fn::Join": ["", ['{"\\u0053tatement":', {"Ref": "Statements"}, "}"]]}
    messaging["P"] = {"Type": "AWS::Logs::ResourcePolicy", "Properties": {"PolicyName": "p", "PolicyDocument": later}}


CASES: list[tuple[Change, list[str]]] = [
    (a_new_action, [f"wider-rights: user Administrator may call sqs:PurgeQueue on {ARN}"]),
    (a_wildcard_in_the_middle, [f"wider-rights: user Administrator may call sqs:*Queue on {ARN}"]),
    (
        all_queues,
        [
            "wider-rights: user Administrator may call sqs:ChangeMessageVisibility, sqs:DeleteMessage, "
            "sqs:GetQueueAttributes, sqs:GetQueueUrl, sqs:ReceiveMessage, sqs:SendMessage on any resource"
        ],
    ),
    (
        a_wildcard_at_the_end_of_the_resource,
        [
            "wider-rights: user Administrator may call sqs:ChangeMessageVisibility, sqs:DeleteMessage, "
            f"sqs:GetQueueAttributes, sqs:GetQueueUrl, sqs:ReceiveMessage, sqs:SendMessage on {ARN}*"
        ],
    ),
    (
        not_action,
        [
            "escalation: user Administrator can become administrator through assuming a role (sts:AssumeRole): "
            "may call any action but iam:* on any resource"
        ],
    ),
    (
        not_resource,
        ["wider-rights: user Administrator may call sqs:SendMessage on any resource but arn:aws:sqs:*:*:payroll"],
    ),
    (
        a_policy_moved_to_another_principal,
        [
            "wider-rights: role ada may call sqs:ChangeMessageVisibility, sqs:DeleteMessage, sqs:GetQueueAttributes, "
            f"sqs:GetQueueUrl, sqs:ReceiveMessage, sqs:SendMessage on {ARN}"
        ],
    ),
    (renamed_and_widened_at_once, [f"wider-rights: user Administrator may call sqs:DeleteQueue on {ARN}"]),
    (inline_and_wider_instead_of_managed, [f"wider-rights: user Administrator may call sqs:S* on {ARN}"]),
    (
        a_managed_policy_of_aws,
        [f"{TAKES_OVER}: may do everything that arn:aws:iam::aws:policy/IAMFullAccess allows"],
    ),
    (administrator_access_for_the_user_itself, [f"{TAKES_OVER}: may call any action on any resource"]),
    (anyone_may_send, ["wider-rights: anyone may call sqs:SendMessage on test"]),
    (
        another_account_may_send_on_a_condition,
        [
            "wider-rights: account 444455556666 may call sqs:SendMessage on test "
            "if aws:SourceArn matches arn:aws:sns:*:*:*"
        ],
    ),
    (a_new_role, ["new-trust: account 444455556666 may call sts:AssumeRole on role guest"]),
    (a_policy_as_text, ["wider-rights: service es.amazonaws.com may call logs:PutLogEvents on p"]),
    (a_policy_as_joined_text, ["wider-rights: service es.amazonaws.com may call logs:PutLogEvents on p"]),
    (a_lambda_permission, ["wider-rights: service sns.amazonaws.com may call lambda:InvokeFunction on worker"]),
    (
        a_statement_decided_at_deploy_time,
        [
            'wider-rights: user Administrator may do what {"Fn::If": ["Later", {"Action": '
            '"sqs:SendMessage", "Effect": "Allow", "Resource": "*"}]} allows, which is decided at deploy time'
        ],
    ),
    (
        a_document_decided_at_deploy_time,
        [
            'wider-rights: user Administrator may do what {"Fn::If": ["Later", {"Statement": [{"Action": '
            '"sqs:SendMessage", "Effect": "Allow", "Resource": "*"}], "Version": "2012-10-17"}, {}]} allows, '
            "which is decided at deploy time"
        ],
    ),
    (
        an_inline_policy_decided_at_deploy_time,
        [
            'wider-rights: user Administrator may do what {"Fn::If": ["Later", {"PolicyDocument": '
            '{"Statement": [{"Action": "*", "Effect": "Allow", "Resource": "*"}], "Version": "2012-10-17"}, '
            '"PolicyName": "p"}]} allows, which is decided at deploy time'
        ],
    ),
    (
        a_policy_text_decided_at_deploy_time,
        [
            'wider-rights: whoever the policy names may do what {"unreadable": '
            '"{\\"\\\\u0053tatement\\":${Statements}}"} allows, which is decided at deploy time'
        ],
    ),
]


@pytest.fixture(scope="module")
def comparisons() -> dict[str, Comparison]:
    # By default the user is an administrator, to whom nothing is new.
    return compare_changes((change for change, _ in CASES), PLAIN)


@pytest.mark.parametrize(("change", "expected"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_needs_a_decision(change: Change, expected: list[str], comparisons: dict[str, Comparison]) -> None:
    assert_decisions(comparisons[change.__name__], expected)


def test_a_lost_condition() -> None:
    before = changed(
        lambda identity, _: use_the_queue(identity).update(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        golden(PLAIN),
    )
    ((findings, _),) = compare([(before, golden(PLAIN))])
    assert [finding.kind for finding in findings] == ["weaker-condition"]
    assert (findings[0].before, findings[0].after) == ("allowed if aws:MultiFactorAuthPresent is true", "allowed")


def test_a_resource_cannot_pretend_to_be_a_condition() -> None:
    fake = "arn:aws:sqs:*:*:x if aws:MultiFactorAuthPresent is true"

    def with_it(identity: Any, messaging: Any) -> None:
        use_the_queue(identity).update(Action="sqs:PurgeQueue", Resource=[ARN, fake])

    ((findings, _),) = compare([(golden(PLAIN), changed(with_it, golden(PLAIN)))])
    (finding,) = findings
    assert finding.what == f'user Administrator may call sqs:PurgeQueue on {ARN}, "{fake}"'

"""What a change needs decided: prepared changes of each kind, hostile ones, and harmless ones that stay quiet."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from hello_queue.review.comparison import compare, compare_ledgers
from hello_queue.review.findings import WHY, Finding
from hello_queue.review.synthesis import GOLDEN

ARN = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:test"
USER, GROUP, POLICY = "User00B015A1", "AdministratorsA37EF73A", "QueueUserPolicy770E3B54"
QUEUE, DEAD_LETTER_QUEUE, QUEUE_POLICY = "Queue4A7E3555", "DeadLetterQueue9F481546", "QueuePolicy25439813"

Templates = dict[str, Any]
Change = Callable[[Any, Any], None]
"""Changes the identity stack's resources and the messaging stack's."""


def golden(variant: str = "default") -> Templates:
    files = [*sorted((GOLDEN / "default").glob("*.yaml")), *(GOLDEN / variant).glob("*.yaml")]
    return {path.stem: yaml.safe_load(path.read_text()) for path in files}


def statement(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", **changes}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def properties(resources: Any, logical_id: str) -> Any:
    return resources[logical_id]["Properties"]


def use_the_queue(identity: Any) -> Any:
    return properties(identity, POLICY)["PolicyDocument"]["Statement"][0]


def tls_only(messaging: Any) -> Any:
    return properties(messaging, QUEUE_POLICY)["PolicyDocument"]["Statement"]


def apply(change: Change, before: Templates | None = None) -> tuple[list[Finding], list[str]]:
    before = before or golden()
    after = copy.deepcopy(before)
    change(after["HelloQueueIdentity"]["Resources"], after["HelloQueueMessaging"]["Resources"])
    findings, notes = compare(before, after)
    return findings, [note.text for note in notes]


def a_new_action(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Action"].append("sqs:PurgeQueue")


def a_wildcard_in_the_middle(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Action"].append("sqs:*Queue")


def all_queues(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Resource"] = "*"


def a_resource_that_only_begins_alike(identity: Any, messaging: Any) -> None:
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
    policy["Statement"][0]["Action"] = ["sqs:Send*", *policy["Statement"][0]["Action"]]
    properties(identity, USER)["Policies"] = [{"PolicyName": "inline", "PolicyDocument": policy}]


def a_managed_policy_of_aws(identity: Any, messaging: Any) -> None:
    properties(identity, USER)["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/IAMFullAccess"]


def administrator_access_for_the_user_itself(identity: Any, messaging: Any) -> None:
    arn = copy.deepcopy(properties(identity, GROUP)["ManagedPolicyArns"])
    properties(identity, USER)["ManagedPolicyArns"] = arn


def everybody_may_send(identity: Any, messaging: Any) -> None:
    tls_only(messaging).append(statement(Principal="*"))


def another_account_may_send_if(identity: Any, messaging: Any) -> None:
    condition = {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}
    tls_only(messaging).append(statement(Principal={"AWS": "444455556666"}, Condition=condition))


def a_new_role(identity: Any, messaging: Any) -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "444455556666"}}
    properties_ = {"RoleName": "guest", "AssumeRolePolicyDocument": document(trust)}
    identity["Guest"] = {"Type": "AWS::IAM::Role", "Properties": properties_}


def plain_http(identity: Any, messaging: Any) -> None:
    del messaging[QUEUE_POLICY]


def plain_http_for_receiving(identity: Any, messaging: Any) -> None:
    tls_only(messaging)[0]["Action"] = ["sqs:SendMessage"]


def a_weaker_operator(identity: Any, messaging: Any) -> None:
    tls_only(messaging)[0]["Condition"] = {"StringEquals": {"aws:SecureTransport": "maybe"}}


def one_more_condition_on_a_denial(identity: Any, messaging: Any) -> None:
    tls_only(messaging)[0]["Condition"]["StringEquals"] = {"aws:SourceAccount": "444455556666"}


def a_new_member(identity: Any, messaging: Any) -> None:
    identity["Eve"] = {"Type": "AWS::IAM::User", "Properties": {"UserName": "eve", "Groups": [{"Ref": GROUP}]}}


def a_member_by_the_back_door(identity: Any, messaging: Any) -> None:
    addition = {"GroupName": {"Ref": GROUP}, "Users": ["mallory"]}
    identity["Addition"] = {"Type": "AWS::IAM::UserToGroupAddition", "Properties": addition}


def a_second_access_key(identity: Any, messaging: Any) -> None:
    identity["AccessKey2"] = copy.deepcopy(identity["AccessKey1208A5092"])


def a_new_serial(identity: Any, messaging: Any) -> None:
    properties(identity, "AccessKey1208A5092")["Serial"] = 2


def the_console(identity: Any, messaging: Any) -> None:
    properties(identity, USER)["LoginProfile"] = {"Password": "{{resolve:secretsmanager:x:SecretString}}"}


def a_literal_password(identity: Any, messaging: Any) -> None:
    properties(identity, USER)["LoginProfile"] = {"Password": "correct horse"}


def a_secret_in_a_tag(identity: Any, messaging: Any) -> None:
    secret = {"Fn::GetAtt": ["AccessKey1208A5092", "SecretAccessKey"]}
    properties(messaging, QUEUE)["Tags"] = [{"Key": "k", "Value": secret}]


def a_renamed_queue(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["QueueName"] = "orders"
    use_the_queue(identity)["Resource"]["Fn::Join"][1][-1] = ":orders"


def a_new_logical_id(identity: Any, messaging: Any) -> None:
    messaging["Queue2"] = messaging.pop(QUEUE)
    for policy in messaging.values():
        if policy["Type"] == "AWS::SQS::QueuePolicy" and policy["Properties"]["Queues"] == [{"Ref": QUEUE}]:
            policy["Properties"]["Queues"] = [{"Ref": "Queue2"}]
            policy["Properties"]["PolicyDocument"]["Statement"][0]["Resource"] = {"Fn::GetAtt": ["Queue2", "Arn"]}


def a_fifo_queue(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["FifoQueue"] = True


def shorter_retention(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["MessageRetentionPeriod"] = 60


def no_dead_letter_queue(identity: Any, messaging: Any) -> None:
    del properties(messaging, QUEUE)["RedrivePolicy"]


def fewer_receives(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["RedrivePolicy"]["maxReceiveCount"] = 1


def any_queue_may_redrive(identity: Any, messaging: Any) -> None:
    del properties(messaging, DEAD_LETTER_QUEUE)["RedriveAllowPolicy"]


def no_encryption(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["SqsManagedSseEnabled"] = False


def another_type(identity: Any, messaging: Any) -> None:
    messaging[QUEUE] = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "topic"}}


def a_policy_as_text(identity: Any, messaging: Any) -> None:
    text = json.dumps(document(statement(Principal={"Service": "es.amazonaws.com"}, Action="logs:PutLogEvents")))
    resource = {"PolicyName": "p", "PolicyDocument": text}
    messaging["LogPolicy"] = {"Type": "AWS::Logs::ResourcePolicy", "Properties": resource}


def a_policy_as_joined_text(identity: Any, messaging: Any) -> None:
    text = json.dumps(document(statement(Principal={"Service": "es.amazonaws.com"}, Action="logs:PutLogEvents")))
    resource = {"PolicyName": "p", "PolicyDocument": {"Fn::Join": ["", [text[:20], text[20:]]]}}
    messaging["LogPolicy"] = {"Type": "AWS::Logs::ResourcePolicy", "Properties": resource}


def a_nested_stack(identity: Any, messaging: Any) -> None:
    messaging["Nested"] = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x"}}


def an_identity_provider(identity: Any, messaging: Any) -> None:
    identity["GitHub"] = {"Type": "AWS::IAM::OIDCProvider", "Properties": {"Url": "https://x"}}


def a_lambda_permission(identity: Any, messaging: Any) -> None:
    grant = {"Action": "lambda:InvokeFunction", "FunctionName": "worker", "Principal": "sns.amazonaws.com"}
    messaging["Permission"] = {"Type": "AWS::Lambda::Permission", "Properties": grant}


def a_statement_that_is_decided_later(identity: Any, messaging: Any) -> None:
    later = {"Fn::If": ["Later", statement(), {"Ref": "AWS::NoValue"}]}
    properties(identity, POLICY)["PolicyDocument"]["Statement"].append(later)


def a_document_that_is_decided_later(identity: Any, messaging: Any) -> None:
    policy = {"PolicyDocument": {"Fn::If": ["Later", document(statement()), {}]}, "PolicyName": "p"}
    identity["P"] = {"Type": "AWS::IAM::UserPolicy", "Properties": {**policy, "UserName": {"Ref": USER}}}


def a_condition_that_is_decided_later(identity: Any, messaging: Any) -> None:
    tls_only(messaging)[0]["Condition"] = {"Fn::If": ["Later", {}, {"Bool": {"aws:SecureTransport": "false"}}]}


def a_denial_that_may_not_be_there(identity: Any, messaging: Any) -> None:
    messaging[QUEUE_POLICY]["Condition"] = "Never"


def a_queue_that_may_not_be_there(identity: Any, messaging: Any) -> None:
    messaging[QUEUE]["Condition"] = "Never"


def the_denial_moves_to_another_queue(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE_POLICY)["Queues"] = [{"Ref": DEAD_LETTER_QUEUE}]


def an_inline_policy_that_is_decided_later(identity: Any, messaging: Any) -> None:
    policy = {"PolicyName": "p", "PolicyDocument": document(statement(Action="*"))}
    properties(identity, USER)["Policies"] = [{"Fn::If": ["Later", policy, {"Ref": "AWS::NoValue"}]}]


def a_policy_whose_text_is_decided_later(identity: Any, messaging: Any) -> None:
    later = {"Fn::Join": ["", ['{"\\u0053tatement":', {"Ref": "Statements"}, "}"]]}
    messaging["P"] = {"Type": "AWS::Logs::ResourcePolicy", "Properties": {"PolicyName": "p", "PolicyDocument": later}}


def a_literal_secret_in_pieces(identity: Any, messaging: Any) -> None:
    literal = {"Fn::Join": ["", ['{"AccessKeyId":"AKIA",', '"SecretAccessKey":"wJalr"}']]}
    properties(identity, "AccessKeySecret3B8AA135")["SecretString"] = literal


def a_reference_behind_another(identity: Any, messaging: Any) -> None:
    value = {"Fn::Join": ["", ["{{resolve:ssm:x}}{{res", "olve:secretsmanager:s:SecretString}}"]]}
    properties(messaging, QUEUE)["Tags"] = [{"Key": "k", "Value": value}]


def encryption_by_nothing(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["SqsManagedSseEnabled"] = False
    properties(messaging, QUEUE)["KmsMasterKeyId"] = {"Ref": "AWS::NoValue"}


def no_redrive_by_nothing(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["RedrivePolicy"] = {"Ref": "AWS::NoValue"}


def a_third_partys_resource(identity: Any, messaging: Any) -> None:
    messaging["Thing"] = {"Type": "Evil::Corp::Thing", "Properties": {}}


def another_consumer(identity: Any, messaging: Any) -> None:
    mapping = {"EventSourceArn": {"Fn::GetAtt": [QUEUE, "Arn"]}, "FunctionName": "theirs"}
    messaging["Consumer"] = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping}


def members_that_are_decided_later(identity: Any, messaging: Any) -> None:
    properties(identity, USER)["Groups"] = {"Fn::If": ["Later", ["root"], []]}


DECISIONS: list[tuple[Change, list[str]]] = [
    (a_new_action, [f"wider-rights: user Administrator: allow sqs:PurgeQueue on {ARN}"]),
    (a_wildcard_in_the_middle, [f"wider-rights: user Administrator: allow sqs:*Queue on {ARN}"]),
    (
        all_queues,
        [
            "wider-rights: user Administrator: allow sqs:ChangeMessageVisibility, sqs:DeleteMessage, "
            "sqs:GetQueueAttributes, sqs:GetQueueUrl, sqs:ReceiveMessage, sqs:SendMessage on *"
        ],
    ),
    (
        a_resource_that_only_begins_alike,
        [
            "wider-rights: user Administrator: allow sqs:ChangeMessageVisibility, sqs:DeleteMessage, "
            f"sqs:GetQueueAttributes, sqs:GetQueueUrl, sqs:ReceiveMessage, sqs:SendMessage on {ARN}*"
        ],
    ),
    (not_action, ["wider-rights: user Administrator: allow everything but iam:* on *"]),
    (
        not_resource,
        ["wider-rights: user Administrator: allow sqs:SendMessage on everything but arn:aws:sqs:*:*:payroll"],
    ),
    (
        a_policy_moved_to_another_principal,
        [
            "wider-rights: role ada: allow sqs:ChangeMessageVisibility, sqs:DeleteMessage, sqs:GetQueueAttributes, "
            f"sqs:GetQueueUrl, sqs:ReceiveMessage, sqs:SendMessage on {ARN}"
        ],
    ),
    (renamed_and_widened_at_once, [f"wider-rights: user Administrator: allow sqs:DeleteQueue on {ARN}"]),
    (inline_and_wider_instead_of_managed, [f"wider-rights: user Administrator: allow sqs:Send* on {ARN}"]),
    (
        a_managed_policy_of_aws,
        ["wider-rights: user Administrator: allow what arn:aws:iam::aws:policy/IAMFullAccess allows on *"],
    ),
    (administrator_access_for_the_user_itself, ["wider-rights: user Administrator: allow * on *"]),
    (everybody_may_send, ["wider-rights: everybody: allow sqs:SendMessage on * (of test)"]),
    (
        another_account_may_send_if,
        [
            'wider-rights: 444455556666: allow sqs:SendMessage on * (of test) if {"ArnLike": {"aws:SourceArn": '
            '"arn:aws:sns:*:*:*"}}'
        ],
    ),
    (a_new_role, ["new-trust: 444455556666: allow sts:AssumeRole on role guest"]),
    (
        plain_http,
        [f'weaker-denial: everybody: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (
        plain_http_for_receiving,
        [f'weaker-denial: everybody: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (
        a_weaker_operator,
        [f'weaker-denial: everybody: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (
        one_more_condition_on_a_denial,
        [f'weaker-denial: everybody: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (a_new_member, ["new-member: eve in Administrators", "new-user: eve"]),
    (a_member_by_the_back_door, ["new-member: mallory in Administrators"]),
    (a_second_access_key, ["new-access-key: HelloQueueIdentity/AccessKey2"]),
    (a_new_serial, ["new-access-key: HelloQueueIdentity/AccessKey1208A5092"]),
    (the_console, ["console-access: Administrator"]),
    (
        a_literal_password,
        [
            "console-access: Administrator",
            f"exposed-secret: a literal secret in HelloQueueIdentity/Resources/{USER}/Properties/LoginProfile/Password",
        ],
    ),
    (
        a_secret_in_a_tag,
        [f"exposed-secret: the secret of an access key in HelloQueueMessaging/Resources/{QUEUE}/Properties/Tags/Value"],
    ),
    (
        a_renamed_queue,
        [
            "wider-rights: user Administrator: allow sqs:ChangeMessageVisibility, sqs:DeleteMessage, "
            "sqs:GetQueueAttributes, sqs:GetQueueUrl, sqs:ReceiveMessage, sqs:SendMessage on "
            "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:orders",
            "data-loss: queue test is replaced by orders",
        ],
    ),
    (a_new_logical_id, ["data-loss: queue test is removed"]),
    (a_fifo_queue, ["data-loss: queue test is replaced"]),
    (shorter_retention, ["data-loss: queue test keeps messages for less long"]),
    (no_dead_letter_queue, ["data-loss: queue test has no dead-letter queue"]),
    (fewer_receives, ["data-loss: queue test gives up on a message sooner"]),
    (any_queue_may_redrive, ["less-protection: test-dlq has another RedriveAllowPolicy, or none"]),
    (another_type, ["data-loss: queue test is removed"]),
    (a_policy_as_text, ["wider-rights: service es.amazonaws.com: allow logs:PutLogEvents on * (of p)"]),
    (a_policy_as_joined_text, ["wider-rights: service es.amazonaws.com: allow logs:PutLogEvents on * (of p)"]),
    (a_nested_stack, ["unseen: HelloQueueMessaging/Nested"]),
    (an_identity_provider, ["new-trust: whoever GitHub vouches for"]),
    (a_lambda_permission, ["wider-rights: service sns.amazonaws.com: allow lambda:InvokeFunction on worker"]),
    (
        a_statement_that_is_decided_later,
        [
            'wider-rights: user Administrator: allow what this allows: {"Fn::If": ["Later", {"Action": '
            '"sqs:SendMessage", "Effect": "Allow", "Resource": "*"}]} on *'
        ],
    ),
    (
        a_document_that_is_decided_later,
        [
            'wider-rights: user Administrator: allow what this allows: {"Fn::If": ["Later", {"Statement": [{"Action": '
            '"sqs:SendMessage", "Effect": "Allow", "Resource": "*"}], "Version": "2012-10-17"}, {}]} on *'
        ],
    ),
    (
        a_condition_that_is_decided_later,
        [f'weaker-denial: everybody: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (
        a_denial_that_may_not_be_there,
        [f'weaker-denial: everybody: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (a_queue_that_may_not_be_there, ["data-loss: queue test is there on a condition only"]),
    (
        the_denial_moves_to_another_queue,
        [f'weaker-denial: everybody: deny sqs:* on {ARN} if {{"Bool": {{"aws:SecureTransport": "false"}}}}'],
    ),
    (
        an_inline_policy_that_is_decided_later,
        [
            'wider-rights: user Administrator: allow what this allows: {"Fn::If": ["Later", {"PolicyDocument": '
            '{"Statement": [{"Action": "*", "Effect": "Allow", "Resource": "*"}], "Version": "2012-10-17"}, '
            '"PolicyName": "p"}]} on *'
        ],
    ),
    (
        a_policy_whose_text_is_decided_later,
        [
            'wider-rights: whoever it names: allow what this allows: {"unreadable": '
            '"{\\"\\\\u0053tatement\\":${Statements}}"} on * (of p)'
        ],
    ),
    (
        a_literal_secret_in_pieces,
        [
            "exposed-secret: a literal secret in "
            "HelloQueueIdentity/Resources/AccessKeySecret3B8AA135/Properties/SecretString"
        ],
    ),
    (
        a_reference_behind_another,
        [
            "exposed-secret: a secret that is read at deploy time in "
            f"HelloQueueMessaging/Resources/{QUEUE}/Properties/Tags/Value"
        ],
    ),
    (encryption_by_nothing, ["less-protection: test is not encrypted"]),
    (no_redrive_by_nothing, ["data-loss: queue test has no dead-letter queue"]),
    (a_third_partys_resource, ["unseen: HelloQueueMessaging/Thing"]),
    (another_consumer, ["unseen: HelloQueueMessaging/Consumer"]),
    (members_that_are_decided_later, ['new-member: Administrator in {"Fn::If": ["Later", ["root"], []]}']),
    (no_encryption, ["less-protection: test is not encrypted"]),
]


@pytest.mark.parametrize(("change", "expected"), DECISIONS, ids=lambda value: getattr(value, "__name__", ""))
def test_what_needs_a_decision(change: Change, expected: list[str]) -> None:
    findings, notes = apply(change)
    assert [finding.id for finding in findings] == expected
    assert notes, "the change itself is told too"
    for finding in findings:
        assert finding.kind in WHY
        assert finding.stack.startswith("HelloQueue")
        assert finding.before != finding.after


def a_longer_delay(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["DelaySeconds"] = 10


def longer_retention(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["MessageRetentionPeriod"] = 1_000_000


def more_receives(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["RedrivePolicy"]["maxReceiveCount"] = 6


def an_action_less(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Action"].remove("sqs:SendMessage")


def other_statements_for_the_same(identity: Any, messaging: Any) -> None:
    policy = properties(identity, POLICY)["PolicyDocument"]
    (whole,) = policy["Statement"]
    actions = whole["Action"][::-1]
    policy["Statement"] = [{**whole, "Action": actions[:2]}, {**whole, "Action": actions[2:], "Sid": "Two"}]


def one_more_condition(identity: Any, messaging: Any) -> None:
    use_the_queue(identity)["Condition"] = {"Bool": {"aws:SecureTransport": "true"}}


def a_policy_that_moves(identity: Any, messaging: Any) -> None:
    """The same rights of the same user: inline, under another name."""
    policy = identity.pop(POLICY)["Properties"]["PolicyDocument"]
    properties(identity, USER)["Policies"] = [{"PolicyName": "inline", "PolicyDocument": policy}]


def a_denial_more(identity: Any, messaging: Any) -> None:
    tls_only(messaging).append(statement(Effect="Deny", Principal="*", Action="sqs:DeleteQueue"))


def a_denial_for_more(identity: Any, messaging: Any) -> None:
    del tls_only(messaging)[0]["Condition"]


def no_access_key(identity: Any, messaging: Any) -> None:
    del identity["AccessKey1208A5092"], identity["AccessKeySecret3B8AA135"]


def another_description(identity: Any, messaging: Any) -> None:
    properties(identity, "AccessKeySecret3B8AA135")["Description"] = "new words"


def a_new_tag(identity: Any, messaging: Any) -> None:
    properties(messaging, QUEUE)["Tags"] = [{"Key": "team", "Value": "a"}]


HARMLESS: list[tuple[Change, str]] = [
    (a_longer_delay, "changed in place: AWS::SQS::Queue test: DelaySeconds 5 -> 10"),
    (longer_retention, "changed in place: AWS::SQS::Queue test: MessageRetentionPeriod 345600 -> 1000000"),
    (more_receives, "changed in place: AWS::SQS::Queue test: RedrivePolicy"),
    (an_action_less, "changed in place: AWS::IAM::ManagedPolicy test-queue-user: PolicyDocument"),
    (
        other_statements_for_the_same,
        "changed in place: AWS::IAM::ManagedPolicy test-queue-user: PolicyDocument",
    ),
    (one_more_condition, "changed in place: AWS::IAM::ManagedPolicy test-queue-user: PolicyDocument"),
    (a_policy_that_moves, "removed: AWS::IAM::ManagedPolicy test-queue-user"),
    (a_denial_more, "changed in place: AWS::SQS::QueuePolicy"),
    (a_denial_for_more, "changed in place: AWS::SQS::QueuePolicy"),
    (no_access_key, "removed: AWS::IAM::AccessKey AccessKey1208A5092"),
    (another_description, "changed in place: AWS::SecretsManager::Secret Administrator/access-key: Description"),
    (a_new_tag, "changed in place: AWS::SQS::Queue test: Tags"),
]


@pytest.mark.parametrize(("change", "told"), HARMLESS, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_harmless_is_a_line(change: Change, told: str) -> None:
    findings, notes = apply(change)
    assert findings == []
    assert any(note.startswith(told) for note in notes), notes


def test_nothing_changes() -> None:
    assert compare(golden(), golden()) == ([], [])


def test_a_stack_is_added() -> None:
    after = golden()
    before = {"HelloQueueMessaging": after["HelloQueueMessaging"]}
    findings, notes = compare(before, after)
    kinds = [finding.kind for finding in findings]
    assert kinds == ["wider-rights"] * 5 + ["new-member", "new-user", "new-access-key"]
    assert "added: AWS::IAM::User Administrator" in [note.text for note in notes]


def test_a_stack_is_removed() -> None:
    before = golden()
    findings, notes = compare(before, {"HelloQueueIdentity": before["HelloQueueIdentity"]})
    assert [finding.id for finding in findings] == [
        "data-loss: queue test-dlq is removed",
        "data-loss: queue test is removed",
        "less-protection: test-dead-letters is removed",
        "less-protection: test-oldest-message is removed",
        "less-protection: test-in-flight is removed",
    ]
    assert "removed: AWS::SQS::Queue test" in [note.text for note in notes]


def test_a_queue_that_was_kept_is_kept_no_longer() -> None:
    before = golden()
    queue = before["HelloQueueMessaging"]["Resources"][QUEUE]
    queue["DeletionPolicy"] = queue["UpdateReplacePolicy"] = "Retain"
    findings, _ = compare(before, golden())
    assert [finding.id for finding in findings] == [
        "data-loss: queue test is no longer kept (DeletionPolicy)",
        "data-loss: queue test is no longer kept (UpdateReplacePolicy)",
    ]


def test_mfa_is_no_longer_needed() -> None:
    before = golden("console_access=true")

    def without_condition(identity: Any, messaging: Any) -> None:
        *_, deny, _ = properties(identity, "RequireMfaPolicyE7CF471E")["PolicyDocument"]["Statement"]
        deny["NotAction"].append("s3:*")

    findings, _ = apply(without_condition, before)
    assert [finding.kind for finding in findings] == ["weaker-denial"]
    assert "s3:*" in findings[0].after

    def keeps_the_password(identity: Any, messaging: Any) -> None:
        properties(identity, USER)["LoginProfile"]["PasswordResetRequired"] = False

    findings, _ = apply(keeps_the_password, before)
    assert [finding.kind for finding in findings] == ["less-protection"]


def test_a_condition_is_lost() -> None:
    before = golden()
    one_more_condition(before["HelloQueueIdentity"]["Resources"], None)
    findings, _ = compare(before, golden())
    assert [finding.kind for finding in findings] == ["weaker-condition"]
    assert 'if {"Bool": {"aws:SecureTransport": "true"}}' in findings[0].before


def test_secrets_in_outputs_and_parameters() -> None:
    before, after = golden(), golden()
    secret = {"Fn::GetAtt": ["AccessKey1208A5092", "SecretAccessKey"]}
    after["HelloQueueIdentity"]["Outputs"]["Oops"] = {"Value": {"Fn::Join": ["", ["x", secret]]}}
    after["HelloQueueIdentity"]["Outputs"]["Sub"] = {"Value": {"Fn::Sub": "${AccessKey1208A5092.SecretAccessKey}"}}
    after["HelloQueueMessaging"]["Parameters"] = {
        "DbPassword": {"Type": "String", "NoEcho": True, "Default": "hunter2"},
        "ApiToken": {"Type": "String"},
    }
    findings, _ = compare(before, after)
    assert [finding.id for finding in findings if finding.kind == "unseen"] == [
        "unseen: HelloQueueMessaging is decided otherwise when it is deployed (Parameters)"
    ]
    assert [finding.id.partition(" in ")[2] for finding in findings if finding.kind == "exposed-secret"] == [
        "HelloQueueIdentity/Outputs/Oops/Value/Fn::Join",
        "HelloQueueIdentity/Outputs/Sub/Value/Fn::Sub",
        "HelloQueueMessaging/Parameters/DbPassword/Default",
        "HelloQueueMessaging/Parameters/ApiToken/NoEcho",
    ]


def test_what_was_bound_switched_off_or_encrypted_by_a_key_of_ones_own() -> None:
    before = golden()
    identity, messaging = (before[f"HelloQueue{name}"]["Resources"] for name in ("Identity", "Messaging"))
    properties(identity, USER)["PermissionsBoundary"] = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    properties(identity, "AccessKey1208A5092")["Status"] = "Inactive"
    properties(messaging, QUEUE)["KmsMasterKeyId"] = "alias/ours"
    findings, _ = compare(before, golden())
    assert {finding.id for finding in findings} == {
        "wider-rights: Administrator has another boundary",
        "new-access-key: HelloQueueIdentity/AccessKey1208A5092 is active again",
        "less-protection: test has another KmsMasterKeyId, or none",
    }


def test_logging_and_alarms_are_taken_away() -> None:
    before = golden()
    resources = before["HelloQueueMessaging"]["Resources"]
    resources["Log"] = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "log", "RetentionInDays": 30}}
    resources["Alarm"] = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "alarm"}}

    def change(identity: Any, messaging: Any) -> None:
        messaging["Log"]["Properties"]["RetentionInDays"] = 1
        messaging["Alarm"]["Properties"]["ActionsEnabled"] = False

    findings, _ = apply(change, before)
    assert {finding.id for finding in findings} == {
        "less-protection: log keeps its records for less long",
        "less-protection: alarm is switched off",
    }
    findings, _ = compare(before, golden())
    assert {finding.id for finding in findings} == {
        "less-protection: log is removed",
        "less-protection: alarm is removed",
    }


def test_a_template_that_is_transformed() -> None:
    after = golden()
    after["HelloQueueMessaging"]["Transform"] = "Evil"
    after["HelloQueueIdentity"]["Resources"]["X"] = {"Type": "AWS::SNS::Topic", "Properties": {"Fn::Transform": {}}}
    findings, _ = compare(golden(), after)
    assert [finding.id for finding in findings] == [
        "unseen: HelloQueueIdentity has parts that are transformed when it is deployed",
        "unseen: HelloQueueMessaging is decided otherwise when it is deployed (Transform)",
    ]


def test_the_ledger() -> None:
    entry = {"finding": "R1", "where": "S/A", "reason": "because"}
    findings, notes = compare_ledgers([entry], [entry, {**entry, "where": "S/B"}])
    assert [finding.id for finding in findings] == ["new-acknowledgment: R1 on S/B"]
    assert notes == []
    findings, notes = compare_ledgers([entry], [{**entry, "reason": "otherwise"}])
    assert findings == []
    assert "otherwise" in notes[0].text
    findings, notes = compare_ledgers([entry], [])
    assert (findings, len(notes)) == ([], 1)

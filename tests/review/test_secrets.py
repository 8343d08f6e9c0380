"""Findings about secrets in places where others could read them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hello_queue.review.comparison import Comparison
from hello_queue.review.masking import Mask, masked
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
    after[MESSAGING]["Outputs"]["AdminPassword"] = {"Value": "hunter2"}
    after[MESSAGING]["Outputs"]["Key"] = {"Value": "x", "Description": "use AKIAIOSFODNN7EXAMPLE"}
    after[MESSAGING]["Parameters"] = {
        "DbPassword": {"Type": "String", "NoEcho": True, "Default": "hunter2"},
        "ApiToken": {"Type": "String"},
    }
    found = finding_ids(before, after)
    assert [each.partition(" in ")[2] for each in found if each.startswith("exposed-secret: ")] == [
        "HelloQueueIdentity/Outputs/Oops/Value/Fn::Join",
        "HelloQueueIdentity/Outputs/Sub/Value/Fn::Sub",
        "HelloQueueMessaging/Outputs/AdminPassword/Value",
        "HelloQueueMessaging/Outputs/Key/Description",
        "HelloQueueMessaging/Parameters/DbPassword/Default",
        "HelloQueueMessaging/Parameters/ApiToken/NoEcho",
    ]
    assert [each for each in found if not each.startswith("exposed-secret: ")] == [
        "unknown-effect: HelloQueueMessaging: Parameters changed, which decides at deploy time what is created"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use AKIAIOSFODNN7EXAMPLE", "use (masked)"),
        ("key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY.", "key (masked)."),
        ("-----BEGIN RSA PRIVATE KEY-----\n+MIIEpAIBAAKCAQEA12\n+import os", "(masked)\n+import os"),
        ('DB_PASSWORD=hunter2 client_secret: "abc"', 'DB_PASSWORD=(masked) client_secret: "(masked)"'),
        (r"{\"SecretAccessKey\":\"wJalr\"}", r"{\"SecretAccessKey\":\"(masked)\"}"),
        ("postgres://ada:hunter2@db/x", "postgres://ada:(masked)@db/x"),
        *(
            (harmless, harmless)
            for harmless in (
                "token = get_token()",
                '"PasswordResetRequired": "true"',
                "API_TOKEN=$(cat file) GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
                '"SecretAccessKey":"${Key.SecretAccessKey}"',
                r'"SecretString": "{\"UserName\":\"ada\"}"',
                "arn:aws:secretsmanager:us-east-1:444455556666:secret:access-key-AbCdEf",
                "https://sqs.us-east-1.amazonaws.com/444455556666/test",
                "sha1 0123456789abcdef0123456789abcdef01234567",
                "HelloQueueMessaging/Queue4A7E3555/Resour",
            )
        ),
    ],
)
def test_what_is_masked_in_a_text(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize("part", ["secret", "SECRET_", "://a", "secret='", "-----BEGIN PRIVATE KEY-----n", "A0/"])
def test_no_text_takes_long_to_mask(part: str) -> None:
    """A megabyte takes less than a second on an idle machine; what grows with its square would take an hour."""
    start = time.process_time()
    masked(part * (200_000 // len(part)))
    assert time.process_time() - start < 10


def test_what_is_masked_in_a_template() -> None:
    """By the names of properties; the same number is the same secret."""
    pieces = {"Fn::Join": ["", ["hun", "ter2"]]}
    variables = {
        "DB_PASSWORD": "hunter2",
        "OTHER_TOKEN": pieces,
        "SECRET_ID": "name",
        "USE_TOKEN": "true",
        "TOKEN": {"Ref": "Token"},
    }
    template = {
        "Variables": variables,
        "Tags": [{"Key": "password", "Value": "hunter3"}],
        "Parameters": {"P": {"Default": "hunter4", "NoEcho": "true"}, "Q": {"Default": "q"}},
        "Condition": {"StringEquals": {"aws:PrincipalTag/token": "x"}},
        "Copied": "(masked 1)",
    }
    assert Mask()(template) == {
        "Variables": {**variables, "DB_PASSWORD": "(masked 1)", "OTHER_TOKEN": "(masked 1)"},
        "Tags": [{"Key": "password", "Value": "(masked 2)"}],
        "Parameters": {"P": {"Default": "(masked 3)", "NoEcho": "true"}, "Q": {"Default": "q"}},
        "Condition": {"StringEquals": {"aws:PrincipalTag/token": "x"}},
        "Copied": "(masked 4)",
    }

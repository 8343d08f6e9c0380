"""Console access: a password and MFA."""

from __future__ import annotations

import pytest

from tests.conftest import Synth
from tests.stacks.templates import IDENTITY, only


def test_console_access_is_off_by_default(synth: Synth) -> None:
    template = synth()[IDENTITY]
    assert "LoginProfile" not in str(template)
    assert "Console" not in str(template)


@pytest.mark.parametrize("reset", ["true", "false"])
def test_console_access_requires_mfa(synth: Synth, reset: str) -> None:
    template = synth(console_access="true", password_reset_required=reset)[IDENTITY]
    user = only(template, "AWS::IAM::User")
    assert user["LoginProfile"]["PasswordResetRequired"] is (reset == "true")
    (attached,) = user["ManagedPolicyArns"]
    *allows, deny, deny_for_others = template["Resources"][attached["Ref"]]["Properties"]["PolicyDocument"]["Statement"]
    assert deny["Effect"] == "Deny"
    assert deny["Resource"] == "*"
    # Bool, not BoolIfExists: a request signed with the access key has no such key, and must be allowed.
    assert deny["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    assert deny_for_others["Effect"] == "Deny"
    assert deny_for_others["Condition"] == deny["Condition"]
    assert str(deny_for_others["NotResource"]).count("user/Administrator") == 1
    assert "iam:EnableMFADevice" in deny_for_others["Action"]
    assert ("iam:ChangePassword" in deny["NotAction"]) is (reset == "true")
    allowed = [allow["Action"] for allow in allows]
    assert sorted(deny["NotAction"]) == sorted(
        action for actions in allowed for action in ([actions] if isinstance(actions, str) else actions)
    )

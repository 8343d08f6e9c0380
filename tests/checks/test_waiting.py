"""Right after a deployment, what is not known everywhere yet is waited for, and what is wrong fails at once."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections import Counter
from typing import Any

import pytest

from tests.conftest import Aws
from tests.faults import BROKEN, Fault, FaultyPath

UNKNOWN_KEY = Fault(status=403, code="InvalidClientTokenId")
DENIED = Fault(status=403, code="AccessDenied")
NO_ENTITY = Fault(status=404, code="NoSuchEntity")
NO_QUEUE = Fault(status=400, code="AWS.SimpleQueueService.NonExistentQueue")


@pytest.fixture
def late(path: FaultyPath) -> dict[str, tuple[Fault, int]]:
    """Actions, and how often each fails before AWS knows what was deployed."""
    faults: dict[str, tuple[Fault, int]] = {}
    calls: Counter[str] = Counter()

    def plan(action: str, content: dict[str, Any]) -> Fault | None:
        fault, times = faults.get(action, (BROKEN, 0))
        calls[action] += 1
        return fault if calls[action] <= times else None

    path.plan = plan
    return faults


def smoke_test(aws: Aws, path: FaultyPath, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """What the smoke test shows behind the proxy, and how many seconds it took."""
    began = time.monotonic()
    done = aws.script("smoke_test.py", *arguments, check=False, env=path.variables())
    return done, time.monotonic() - began


def test_what_is_not_there_yet_is_waited_for(aws: Aws, path: FaultyPath, late: dict[str, tuple[Fault, int]]) -> None:
    waits_for = {
        "DescribeStacks": (DENIED, "DescribeStacks (AccessDenied)"),
        "GetUser": (NO_ENTITY, "user, "),
        "ListGroupsForUser": (DENIED, "groups of Administrator, "),
        "GetPolicy": (NO_ENTITY, "statements of test-queue-user, statements of test-operator"),
        "GetQueueAttributes": (NO_QUEUE, "all checks of queue"),
    }
    late |= {action: (fault, 2) for action, (fault, _) in waits_for.items()}
    done, _ = smoke_test(aws, path, "--wait", "600", "--longest-delay", "0")
    assert (done.returncode, done.stdout.splitlines()[-1].partition(", ")[2]) == (0, "0 failed, 1 skipped")
    for _, names in waits_for.values():
        assert re.search(rf"^not yet: .*{re.escape(names)}.*\. Waiting for at most \d+ s$", done.stderr, re.MULTILINE)


def test_a_key_that_is_not_known_yet_sends_later(
    aws: Aws, path: FaultyPath, late: dict[str, tuple[Fault, int]], deployed_queue: str
) -> None:
    """One message is sent, also if each call of the user is refused at first."""
    late["SendMessage"], late["ReceiveMessage"], late["DeleteMessage"] = (UNKNOWN_KEY, 1), (DENIED, 1), (DENIED, 1)
    done, _ = smoke_test(aws, path, "--wait", "600")
    assert done.returncode == 0, done.stdout
    assert path.count("SendMessage") == 2, "the first was refused"
    assert "  ✓ its deletion\n" in done.stdout
    for call in ("SendMessage (InvalidClientTokenId)", "ReceiveMessage (AccessDenied)", "DeleteMessage (AccessDenied)"):
        assert f"not yet: {call}. Waiting" in done.stderr


def test_without_wait_it_fails_and_says_that_it_may_be_late(
    aws: Aws, path: FaultyPath, late: dict[str, tuple[Fault, int]]
) -> None:
    late["GetUser"] = (NO_ENTITY, 99)
    done, _ = smoke_test(aws, path, "--longest-delay", "0")
    assert done.returncode == 1
    assert "not yet" not in done.stderr
    assert done.stdout.splitlines()[-1].endswith("may only be late, right after a deployment: add --wait 120")


def test_waiting_ends(aws: Aws, path: FaultyPath, late: dict[str, tuple[Fault, int]]) -> None:
    late["GetUser"] = (NO_ENTITY, 99)
    done, seconds = smoke_test(aws, path, "--wait", "3", "--longest-delay", "0")
    assert done.returncode == 1
    assert seconds > 3
    assert path.count("GetUser") < 10
    assert "  ✗ user\n" in done.stdout


def test_what_is_wrong_is_not_waited_for(aws: Aws, path: FaultyPath, late: dict[str, tuple[Fault, int]]) -> None:
    """Although something else may only be late: no waiting makes the whole pass."""
    late["ListGroupsForUser"] = (DENIED, 99)
    iam = aws.client("iam")
    iam.put_user_policy(
        UserName="Administrator",
        PolicyName="wider",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        ),
    )
    try:
        done, _ = smoke_test(aws, path, "--wait", "600", "--longest-delay", "0")
    finally:
        iam.delete_user_policy(UserName="Administrator", PolicyName="wider")
    assert done.returncode == 1
    assert "not yet" not in done.stderr
    assert "fix       aws iam delete-user-policy --user-name Administrator --policy-name wider\n" in done.stdout


def test_an_error_of_another_kind_is_not_waited_for(
    aws: Aws, path: FaultyPath, late: dict[str, tuple[Fault, int]]
) -> None:
    late["GetUser"] = (Fault(status=400, code="ValidationError"), 99)
    done, _ = smoke_test(aws, path, "--wait", "600", "--longest-delay", "0")
    assert done.returncode == 1
    assert "not yet" not in done.stderr

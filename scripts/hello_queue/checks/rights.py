"""What may the deployment's user do, and what may it not? Found out without doing harm.

IAM's policy simulator answers, where the caller may use it. Otherwise the user's own key makes calls whose success
would change nothing; what has no such call (deleting a queue, for one) is skipped. Each finding says which it was.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from hello_queue.aws.clients import AccessKey, client
from hello_queue.aws.errors import is_denied
from hello_queue.checks.model import Check, check
from hello_queue.constants import QUEUE_USER_ACTIONS
from hello_queue.deployment.access_key import owner_of, read_access_key
from hello_queue.deployment.stacks import DeployedStack

ALLOWED, DENIED = "allowed", "denied"

_SECRETS = ("AccessKeySecretArn", "ConsolePasswordSecretArn")


@dataclass(frozen=True)
class Call:
    """A call that the user may or may not make."""

    action: str
    resource: str
    """Its ARN, or ``*`` for a call that knows no resource."""
    harmless: Callable[[], object] | None = None
    """Makes the call with the user's key, in a way whose success changes nothing. None: there is no such way."""

    @property
    def name(self) -> str:
        return f"{self.action} on {self.resource.rpartition(':')[2]}"


def users_key(identity: DeployedStack) -> tuple[AccessKey | None, Check]:
    """The user's access key, and the check that it is the user's. None where the caller may not read it."""
    user = identity.resource("AWS::IAM::User").physical_id
    name, expected = "access key in Secrets Manager", f"that of {user}"
    try:
        key = read_access_key(client("secretsmanager"), identity.outputs["AccessKeySecretArn"])
    except ClientError as error:
        if not is_denied(error):
            raise
        return None, Check(name, expected, "skipped: you may not read it", None)
    return key, check(name, expected, lambda: f"that of {owner_of(key).rpartition('/')[2]}")


def rights_checks(identity: DeployedStack, messaging: DeployedStack, key: AccessKey | None) -> Iterator[Check]:
    """The queue is allowed; all else is denied, unless the user is an administrator; a wrong secret is refused."""
    iam = client("iam")
    user = iam.get_user(UserName=identity.resource("AWS::IAM::User").physical_id)["User"]
    decisions = _Decisions(iam, user["Arn"])
    for action in sorted(QUEUE_USER_ACTIONS):
        yield decisions.check(Call(action, messaging.outputs["QueueArn"]), ALLOWED)
    groups = identity.resources("AWS::IAM::Group")
    for call in _foreign_calls(identity, messaging, user["Arn"], key):
        expected = f"{ALLOWED}, as {user['UserName']} is in {groups[0].physical_id}" if groups else DENIED
        yield decisions.check(call, expected)
    if key:
        wrong = AccessKey(key.key_id, "x" * len(key.secret))
        yield check("the key with a wrong secret", "refused", lambda: _call_with(wrong, messaging))


class _Decisions:
    """Finds out what the user may do: by the simulator, until it turns out that the caller may not use it."""

    def __init__(self, iam: Any, user_arn: str) -> None:
        self._iam = iam
        self._user_arn = user_arn
        self._simulator = True

    def check(self, call: Call, expected: str) -> Check:
        """The check that the call is allowed or denied; ``expected`` starts with which."""
        wanted = expected.partition(",")[0]
        decision, how = self._decide(call)
        if decision is None:
            return Check(call.name, expected, f"skipped: {how}", None)
        found = expected if decision == wanted else decision
        return Check(call.name, expected, f"{found} ({how})", decision == wanted)

    def _decide(self, call: Call) -> tuple[str | None, str]:
        if self._simulator:
            try:
                return self._simulate(call), "simulated"
            except ClientError as error:
                if not is_denied(error):
                    raise
                self._simulator = False
        if call.harmless is None:
            return None, "you may not use IAM's policy simulator, and no call would be harmless"
        try:
            call.harmless()
        except ClientError as error:
            if not is_denied(error):
                raise
            return DENIED, "called"
        return ALLOWED, "called"

    def _simulate(self, call: Call) -> str:
        (result,) = self._iam.simulate_principal_policy(
            PolicySourceArn=self._user_arn, ActionNames=[call.action], ResourceArns=[call.resource]
        )["EvaluationResults"]
        return ALLOWED if result["EvalDecision"] == "allowed" else DENIED


def _foreign_calls(
    identity: DeployedStack, messaging: DeployedStack, user_arn: str, key: AccessKey | None
) -> Iterator[Call]:
    """Calls that a user of the queue has no business to make."""
    queue, url = messaging.outputs["QueueArn"], messaging.outputs["QueueUrl"]
    other_url = messaging.outputs["DeadLetterQueueUrl"]
    other = f"{queue.rpartition(':')[0]}:{other_url.rpartition('/')[2]}"

    as_user: Callable[..., Any] = client

    def by_user(service: str, call: str, **parameters: Any) -> Callable[[], object] | None:
        return functools.partial(getattr(as_user(service, key=key), call), **parameters) if key else None

    yield Call("sqs:DeleteQueue", queue)
    yield Call("sqs:PurgeQueue", queue)
    as_it_is = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]
    set_again = by_user("sqs", "set_queue_attributes", QueueUrl=url, Attributes=as_it_is)
    yield Call("sqs:SetQueueAttributes", queue, set_again)
    yield Call("sqs:SendMessage", other)
    yield Call("sqs:GetQueueAttributes", other, by_user("sqs", "get_queue_attributes", QueueUrl=other_url))
    yield Call("iam:ListUsers", "*", by_user("iam", "list_users", MaxItems=1))
    yield Call("iam:CreateAccessKey", user_arn)
    for secret in (identity.outputs[output] for output in _SECRETS if output in identity.outputs):
        arn = client("secretsmanager").describe_secret(SecretId=secret)["ARN"]
        read = by_user("secretsmanager", "get_secret_value", SecretId=arn)
        yield Call("secretsmanager:GetSecretValue", arn, read)


def _call_with(key: AccessKey, messaging: DeployedStack) -> str:
    try:
        client("sqs", key=key).get_queue_url(QueueName=messaging.outputs["QueueName"])
    except ClientError:
        return "refused"
    return "accepted"

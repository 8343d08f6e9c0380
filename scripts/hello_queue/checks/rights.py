"""Check what the deployment's user is allowed and denied, without doing any harm.

IAM's policy simulator decides where the caller may use it. Otherwise the user's own access key makes calls whose
success would change nothing; an action without such a call (deleting a queue, for one) is skipped. Each result tells
whether the action was simulated or called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.clients import AccessKey, client
from hello_queue.aws.errors import is_denied
from hello_queue.checks.model import Check, check, failure, skipped
from hello_queue.constants import QUEUE_USER_ACTIONS
from hello_queue.deployment.access_key import owner_of, read_access_key, user_name
from hello_queue.deployment.stacks import DeployedStack
from hello_queue.errors import HelloQueueError

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

ALLOWED, DENIED = "allowed", "denied"

_SECRETS = ("AccessKeySecretArn", "ConsolePasswordSecretArn")


@dataclass(frozen=True)
class Call:
    """A call that the user is allowed or denied.

    Attributes:
        action: the IAM action.
        resource: its ARN, or ``*`` for an action without resources.
        harmless: makes the call with the user's key so that success changes nothing; None if there is no such way.
    """

    action: str
    resource: str
    harmless: Callable[[], object] | None = None

    @property
    def name(self) -> str:
        return f"{self.action} on {self.resource.rpartition(':')[2]}"


def user_access_key(identity: DeployedStack) -> tuple[AccessKey | None, Check]:
    """The user's access key, or None if the caller may not read it; and the check that the key is the user's."""
    user = identity.outputs["UserName"]
    name, expected = "access key in Secrets Manager", f"key of {user}"
    try:
        key = read_access_key(client("secretsmanager"), identity.outputs["AccessKeySecretArn"])
    except HelloQueueError as error:
        return None, Check(name, expected, str(error), False)
    except ClientError as error:
        if is_denied(error):
            return None, skipped(name, expected, "you may not read the secret")
        return None, failure(name, expected, error)
    return key, check(name, expected, lambda: f"key of {user_name(owner_of(key))}")


def rights_checks(identity: DeployedStack, messaging: DeployedStack, key: AccessKey | None) -> Iterator[Check]:
    """Check that using the queue is allowed, and all else denied unless the user is an administrator.

    Args:
        identity: the stack of the user.
        messaging: the stack of the queue.
        key: the user's access key; None if it is not known.
    """
    iam = client("iam")
    user = iam.get_user(UserName=identity.outputs["UserName"])["User"]
    decisions = _Decisions(iam, user["Arn"])
    for action in sorted(QUEUE_USER_ACTIONS):
        yield decisions.check(Call(action, messaging.outputs["QueueArn"]), ALLOWED)
    groups = identity.resources("AWS::IAM::Group")
    expected = f"{ALLOWED}, as {user['UserName']} is in {groups[0].physical_id}" if groups else DENIED
    for call in _calls_beyond_the_queue(messaging, user["Arn"], key):
        yield decisions.check(call, expected)
    for output in _SECRETS:
        if output in identity.outputs:
            yield _secret_check(decisions, identity.outputs[output], key, expected)
    if key:
        wrong = AccessKey(key.key_id, "x" * len(key.secret))
        yield check("the key with a wrong secret", "refused", lambda: _call_with(wrong, messaging))


class _Decisions:
    """Decides what the user may do: with the policy simulator, until it turns out that the caller may not use it."""

    def __init__(self, iam: IAMClient, user_arn: str) -> None:
        self._iam = iam
        self._user_arn = user_arn
        self._may_simulate = True

    def check(self, call: Call, expected: str) -> Check:
        """Check that the call is allowed or denied; ``expected`` starts with which. An AWS error fails this check."""
        wanted = expected.partition(",")[0]
        try:
            decision, how = self._decide(call)
        except (ClientError, BotoCoreError) as error:
            return failure(call.name, expected, error)
        if decision is None:
            return skipped(call.name, expected, how)
        found = expected if decision == wanted else decision
        return Check(call.name, expected, f"{found} ({how})", decision == wanted)

    def _decide(self, call: Call) -> tuple[str | None, str]:
        if self._may_simulate:
            try:
                return self._simulate(call), "simulated"
            except ClientError as error:
                if not is_denied(error):
                    raise
                self._may_simulate = False
        if call.harmless is None:
            return None, "you may not use IAM's policy simulator, and this action has no harmless call"
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


def _calls_beyond_the_queue(messaging: DeployedStack, user_arn: str, key: AccessKey | None) -> Iterator[Call]:
    """Calls that using the queue does not need."""
    queue, url = messaging.outputs["QueueArn"], messaging.outputs["QueueUrl"]
    dead_letter_url = messaging.outputs["DeadLetterQueueUrl"]
    dead_letter_queue = f"{queue.rpartition(':')[0]}:{dead_letter_url.rpartition('/')[2]}"

    def set_same_delay() -> object:
        same = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]
        return client("sqs", key=key).set_queue_attributes(QueueUrl=url, Attributes=same)

    read_attributes = _by_user(key, "sqs", "get_queue_attributes", QueueUrl=dead_letter_url)
    yield Call("sqs:DeleteQueue", queue)
    yield Call("sqs:PurgeQueue", queue)
    yield Call("sqs:SetQueueAttributes", queue, set_same_delay if key else None)
    yield Call("sqs:SendMessage", dead_letter_queue)
    yield Call("sqs:GetQueueAttributes", dead_letter_queue, read_attributes)
    yield Call("iam:ListUsers", "*", _by_user(key, "iam", "list_users", MaxItems=1))
    yield Call("iam:CreateAccessKey", user_arn)


def _secret_check(decisions: _Decisions, secret: str, key: AccessKey | None, expected: str) -> Check:
    action = "secretsmanager:GetSecretValue"
    try:
        arn = client("secretsmanager").describe_secret(SecretId=secret)["ARN"]
    except (ClientError, BotoCoreError) as error:
        return failure(f"{action} on {secret.rpartition(':')[2]}", expected, error)
    return decisions.check(
        Call(action, arn, _by_user(key, "secretsmanager", "get_secret_value", SecretId=arn)), expected
    )


def _by_user(key: AccessKey | None, service: str, call: str, **parameters: Any) -> Callable[[], object] | None:
    """The call with the user's key, or None without a key."""
    any_client: Callable[..., Any] = client
    return (lambda: getattr(any_client(service, key=key), call)(**parameters)) if key else None


def _call_with(key: AccessKey, messaging: DeployedStack) -> str:
    try:
        client("sqs", key=key).get_queue_url(QueueName=messaging.outputs["QueueName"])
    except ClientError:
        return "refused"
    return "accepted"

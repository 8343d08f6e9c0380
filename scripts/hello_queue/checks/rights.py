"""Check what the deployment's user and its operator policy are allowed and denied, without doing any harm.

IAM's policy simulator decides where the caller may use it. Otherwise the user's own access key makes calls whose
success would change nothing; an action without such a call (deleting a queue, for one) is skipped. Each result tells
whether the action was simulated or called.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from hello_queue.aws.clients import AccessKey, client
from hello_queue.aws.errors import is_denied
from hello_queue.checks.model import Check, Right, check, failure, skipped
from hello_queue.constants import DEAD_LETTER_ACTIONS, METRICS_ACTIONS, QUEUE_USER_ACTIONS, REDRIVE_TARGET_ACTIONS
from hello_queue.deployment.access_key import owner_of, read_access_key, user_name
from hello_queue.deployment.stacks import DeployedStack
from hello_queue.errors import HelloQueueError

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

ALLOWED, DENIED = "allowed", "denied"
USER, OPERATOR = "user", "operator"

_SECRETS = ("AccessKeySecretArn", "ConsolePasswordSecretArn")


@dataclass(frozen=True)
class Call:
    """A call that the user and the operator are allowed or denied.

    Attributes:
        action: the IAM action.
        resource: its ARN, or ``*`` for an action without resources.
        user, operator: whether the deployment's policies allow it.
        harmless: makes the call with the user's key so that success changes nothing; None if there is no such way.
    """

    action: str
    resource: str
    user: bool = False
    operator: bool = False
    harmless: Callable[[], object] | None = None

    @property
    def short_resource(self) -> str:
        name = self.resource.rpartition(":")[2]
        # Secrets Manager appends a hyphen and six characters of its own.
        return name[:-7] if ":secretsmanager:" in self.resource else name

    @property
    def name(self) -> str:
        return f"{self.action} on {self.short_resource}"


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
    owner = check(name, expected, lambda: f"key of {user_name(owner_of(key))}")
    return key, dataclasses.replace(owner, fix=_fix_key(identity, key))


def _fix_key(identity: DeployedStack, key: AccessKey) -> str:
    """The command that activates the key if it is inactive. Empty: another key is needed."""
    user = identity.outputs["UserName"]
    try:
        listed = client("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]
    except (ClientError, BotoCoreError):
        listed = []
    if any(each["AccessKeyId"] == key.key_id and each["Status"] == "Inactive" for each in listed):
        activate = f"aws iam update-access-key --status Active --access-key-id {shlex.quote(key.key_id)}"
        return f"{activate} --user-name {shlex.quote(user)}"
    return ""


def rights_checks(identity: DeployedStack, messaging: DeployedStack, key: AccessKey | None) -> Iterator[Check]:
    """Check that the user may use the queue, that the operator may redrive, and that all else is denied to both, except
    to a user who is an administrator.

    Args:
        identity: the stack of the user.
        messaging: the stack of the queue.
        key: the user's access key; None if it is not known.
    """
    iam = client("iam")
    user = iam.get_user(UserName=identity.outputs["UserName"])["User"]
    groups = identity.resources("AWS::IAM::Group")
    beyond = f"{ALLOWED}, as {user['UserName']} is in {groups[0].physical_id}" if groups else DENIED
    found = list(_calls(identity, messaging, user["Arn"], key))
    yield from (each for each in found if isinstance(each, Check))
    calls = [each for each in found if isinstance(each, Call)]
    decisions = _Decisions(iam, user["Arn"], identity.outputs["OperatorPolicyArn"], calls)
    for call in calls:
        yield decisions.check(call, USER, ALLOWED if call.user else beyond)
        yield decisions.check(call, OPERATOR, ALLOWED if call.operator else DENIED)
    if key:
        wrong = AccessKey(key.key_id, "x" * len(key.secret))
        yield check("the key with a wrong secret", "refused", lambda: _call_with(wrong, messaging))


class _Decisions:
    """Decides who may do what: with the policy simulator, until it turns out that the caller may not use it.

    Args:
        user_arn: of the deployment's user.
        operator_policy_arn: of the policy that makes somebody an operator. It is attached to nobody.
        calls: all that will be asked. Those on the same resource are simulated at once.
    """

    def __init__(self, iam: IAMClient, user_arn: str, operator_policy_arn: str, calls: Sequence[Call]) -> None:
        self._iam = iam
        self._user_arn = user_arn
        self._operator_policy_arn = operator_policy_arn
        self._actions: dict[str, list[str]] = {}
        for call in calls:
            self._actions.setdefault(call.resource, []).append(call.action)
        self._simulated: dict[tuple[str, str], dict[str, str] | ClientError | BotoCoreError] = {}
        self._may_simulate = {USER: True, OPERATOR: True}

    def check(self, call: Call, who: str, expected: str) -> Check:
        """Check that the call is allowed or denied; ``expected`` starts with which. An AWS error fails this check."""
        wanted = expected.partition(",")[0]
        name = call.name if who == USER else f"{call.name}, as an operator"
        try:
            decision, how = self._decide(call, who)
        except (ClientError, BotoCoreError) as error:
            made, decision = failure(name, expected, error), None
        else:
            if decision is None:
                made = skipped(name, expected, how)
            else:
                found = expected if decision == wanted else decision
                # A right can arrive late. One that nobody granted does not go away.
                settles = math.inf if wanted == ALLOWED else 0
                made = Check(name, expected, f"{found} ({how})", decision == wanted, settles=settles)
        return dataclasses.replace(made, right=Right(call.action, call.short_resource, who, decision or ""))

    def _decide(self, call: Call, who: str) -> tuple[str | None, str]:
        if self._may_simulate[who]:
            try:
                return self._simulate(call, who), "simulated"
            except ClientError as error:
                if not is_denied(error):
                    raise
                self._may_simulate[who] = False
        if who == OPERATOR:
            return None, "you may not use IAM's policy simulator, and the operator policy has no access key"
        if call.harmless is None:
            return None, "you may not use IAM's policy simulator, and this action has no harmless call"
        try:
            call.harmless()
        except ClientError as error:
            if not is_denied(error):
                raise
            return DENIED, "called"
        return ALLOWED, "called"

    def _simulate(self, call: Call, who: str) -> str:
        asked = (who, call.resource)
        if asked not in self._simulated:
            try:
                self._simulated[asked] = self._simulate_all(who, call.resource)
            except (ClientError, BotoCoreError) as error:
                self._simulated[asked] = error
        decisions = self._simulated[asked]
        if isinstance(decisions, Exception):
            raise decisions
        return decisions[call.action]

    def _simulate_all(self, who: str, resource: str) -> dict[str, str]:
        """The decision on each action that is asked for this resource."""
        actions = self._actions[resource]
        if who == USER:
            answer = self._iam.simulate_principal_policy(
                PolicySourceArn=self._user_arn, ActionNames=actions, ResourceArns=[resource]
            )
        else:
            answer = self._iam.simulate_custom_policy(
                PolicyInputList=[self._operator_policy], ActionNames=actions, ResourceArns=[resource]
            )
        return {
            each["EvalActionName"]: ALLOWED if each["EvalDecision"] == "allowed" else DENIED
            for each in answer["EvaluationResults"]
        }

    @functools.cached_property
    def _operator_policy(self) -> str:
        arn = self._operator_policy_arn
        version = self._iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return json.dumps(self._iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])


def _calls(
    identity: DeployedStack, messaging: DeployedStack, user_arn: str, key: AccessKey | None
) -> Iterator[Call | Check]:
    """The calls to decide: all that the deployment's policies allow, and some that they do not. A failed check stands
    for a call whose resource cannot be found."""
    queue, url = messaging.outputs["QueueArn"], messaging.outputs["QueueUrl"]
    dead_letter_url = messaging.outputs["DeadLetterQueueUrl"]
    dead_letter_queue = f"{queue.rpartition(':')[0]}:{dead_letter_url.rpartition('/')[2]}"

    def set_same_delay() -> object:
        same = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]
        return client("sqs", key=key).set_queue_attributes(QueueUrl=url, Attributes=same)

    for action in sorted(QUEUE_USER_ACTIONS):
        yield Call(action, queue, user=True, operator=action in REDRIVE_TARGET_ACTIONS)
    yield Call("sqs:DeleteQueue", queue)
    yield Call("sqs:PurgeQueue", queue)
    yield Call("sqs:SetQueueAttributes", queue, harmless=set_same_delay if key else None)
    for action in sorted(DEAD_LETTER_ACTIONS):
        read = _by_user(key, "sqs", "get_queue_attributes", QueueUrl=dead_letter_url)
        yield Call(
            action, dead_letter_queue, operator=True, harmless=read if action == "sqs:GetQueueAttributes" else None
        )
    yield Call("sqs:SendMessage", dead_letter_queue)
    for action in METRICS_ACTIONS:
        yield Call(action, "*", operator=True)
    yield Call("iam:ListUsers", "*", harmless=_by_user(key, "iam", "list_users", MaxItems=1))
    yield Call("iam:CreateAccessKey", user_arn)
    for output in _SECRETS:
        if output in identity.outputs:
            yield _secret_call(identity.outputs[output], key)


def _secret_call(secret: str, key: AccessKey | None) -> Call | Check:
    action = "secretsmanager:GetSecretValue"
    try:
        arn = client("secretsmanager").describe_secret(SecretId=secret)["ARN"]
    except (ClientError, BotoCoreError) as error:
        return failure(f"{action} on {secret.rpartition(':')[2]}", "a decision", error)
    return Call(action, arn, harmless=_by_user(key, "secretsmanager", "get_secret_value", SecretId=arn))


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

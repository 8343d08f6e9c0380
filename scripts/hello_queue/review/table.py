"""What is known about types and properties. Whatever changes and is not known to be harmless needs a decision."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Test = Callable[[Any, Any], bool]
"""Whether a change from one value to another is harmless; None is an absent value."""


def _number(value: Any, default: float | None) -> float | None:
    if value is None:
        return default
    try:
        return float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
    except ValueError:
        return None


def more(default: float | None = None) -> Test:
    """A number that does not get smaller."""

    def test(old: Any, new: Any) -> bool:
        before, after = _number(old, default), _number(new, default)
        return before is not None and after is not None and after >= before

    return test


def less(default: float | None = None) -> Test:
    return lambda old, new: more(default)(new, old)


def one_of(*values: Any) -> Test:
    return lambda old, new: new in values


def more_of_ours(old: Any, new: Any) -> bool:
    """A list that loses nothing, and whose new entries refer to this deployment."""
    before, after = (value if isinstance(value, list) else [] if value is None else None for value in (old, new))
    if before is None or after is None:
        return False
    return all(each in after for each in before) and all(each in before or not foreign(each) for each in after)


def foreign(value: Any) -> bool:
    """Whether a value may lead out of the deployment: anything but a reference, or an ARN of this account."""
    return not isinstance(value, str) or (not value.startswith("${") and ":${AWS::AccountId}:" not in value)


KEEPS = ("Retain", "RetainExceptOnCreate", "Snapshot")
"""The deletion policies that keep what a resource holds."""


def kept(old: Any, new: Any) -> bool:
    """A deletion policy that keeps the resource, or that keeps it no less than before."""
    return new in KEEPS or (old not in KEEPS and new in (None, "Delete"))


def plain_widgets(old: Any, new: Any) -> bool:
    """A dashboard's body: it shows what alarms watch, unless a custom widget calls a function for whoever opens it."""
    try:
        # As lists of pairs: of two equal keys, nobody knows which one counts.
        return "('type', 'custom')" not in str(json.loads(new, object_pairs_hook=list))
    except (ValueError, TypeError, RecursionError):
        return False


def readable_policy(old: Any, new: Any) -> bool:
    """A policy document or its statements, whose rights can be compared; or none."""
    statements = new.get("Statement", ()) if isinstance(new, Mapping) else new if isinstance(new, list) else [new]
    listed = statements if isinstance(statements, (list, tuple)) else [statements]
    return new is None or all(
        # A function is decided at deploy time: its rights are compared as such.
        isinstance(each, Mapping) and ("Fn::If" in each or each.get("Effect") in ("Allow", "Deny"))
        for each in listed
    )


def keeps_grants(old: Any, new: Any) -> bool:
    """A policy's statements, of which none that allows something is gone. What is allowed in addition are rights."""
    before, after = (value if isinstance(value, list) else [value] for value in (old, new))
    return all(each in after for each in before if not (isinstance(each, Mapping) and each.get("Effect") == "Deny"))


def a_version(old: Any, new: Any) -> bool:
    return new is None or re.fullmatch(r"\d+(\.\d+)*", str(new)) is not None


def same_source(old: Any, new: Any) -> bool:
    """Another version of the same package, from the same registry."""
    return str(new).rpartition("/-/")[0] == str(old).rpartition("/-/")[0]


def no_package(old: Any, new: Any) -> bool:
    """Anything about a package, but for a package that is new."""
    return "'resolved'" not in str(new)


def anything(old: Any, new: Any) -> bool:
    return True


def nothing(old: Any, new: Any) -> bool:
    return False


ON = one_of(True, "true")
RIGHTS = anything
"""Judged by who may do what (rules_of_rights), wherever it is written."""
IDENTITIES = anything
"""Judged by the rules for users, passwords and access keys (rules_of_rights)."""
NAME = anything
"""A name: if CloudFormation replaces the resource, that is judged by `REPLACED`."""


@dataclass(frozen=True)
class Row:
    """When the change of a property is harmless, and what it is otherwise.

    Attributes:
        type: the resource type, as a pattern.
        path: the property, as a pattern with dots between its levels.
        harmless: the test.
        why: why it is harmless; or, as `kind: sentence`, what it is if it is not. `{}` is the resource's name, and what
            follows `|` is the sentence for a value that is gone.
    """

    type: str
    path: str
    harmless: Test
    why: str


_QUEUE, _ALARM, _KEY = "AWS::SQS::Queue", "AWS::CloudWatch::Alarm", "AWS::KMS::Key"
_USER, _DASHBOARD = "AWS::IAM::User", "AWS::CloudWatch::Dashboard"
_SECRET, _LOG, _TOPIC = "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup", "AWS::SNS::Topic"
_FUNCTION, _MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"

ROWS = tuple(
    Row(*row)
    for row in (
        (_QUEUE, "Condition", nothing, "data-loss: queue {} exists only on a condition"),
        (_QUEUE, "QueueName", NAME, "it names the queue"),
        (_QUEUE, "MessageRetentionPeriod", more(345_600), "data-loss: queue {} keeps messages for a shorter time"),
        (_QUEUE, "RedrivePolicy", lambda old, new: not old, "data-loss: queue {} has no dead-letter queue"),
        (_QUEUE, "RedrivePolicy.deadLetterTargetArn", nothing, "data-loss: queue {} has another dead-letter queue"),
        (
            *(_QUEUE, "RedrivePolicy.maxReceiveCount", more()),
            "data-loss: queue {} moves messages to its dead-letter queue after fewer receives",
        ),
        (_QUEUE, "RedriveAllowPolicy*", nothing, "less-protection: other queues may use {} as dead-letter queue"),
        (_QUEUE, "VisibilityTimeout", more(30), "data-loss: queue {} gives consumers less time for a message"),
        (_QUEUE, "ContentBasedDeduplication", nothing, "data-loss: queue {} takes equal messages for duplicates"),
        (_QUEUE, "MaximumMessageSize", more(1_048_576), "data-loss: queue {} refuses messages that it accepted"),
        (_QUEUE, "SqsManagedSseEnabled", ON, "less-protection: {} is no longer encrypted by SQS"),
        (_QUEUE, "KmsDataKeyReusePeriodSeconds", less(300), "less-protection: {} uses a data key for longer"),
        (_QUEUE, "DelaySeconds", anything, "messages are late, not lost"),
        (_QUEUE, "ReceiveMessageWaitTimeSeconds", anything, "long polling saves calls"),
        (_ALARM, "AlarmName", NAME, "it names the alarm"),
        (_ALARM, "AlarmDescription", anything, "words"),
        (_ALARM, "*Actions", more_of_ours, "less-protection: {} notifies others | {} notifies nobody"),
        (_ALARM, "ActionsEnabled", ON, "less-protection: {} is switched off"),
        (_ALARM, "EvaluationPeriods", less(), "less-protection: {} goes off later"),
        (_ALARM, "DatapointsToAlarm", less(), "less-protection: {} goes off later"),
        (_ALARM, "TreatMissingData", one_of("breaching"), "less-protection: {} treats missing data differently"),
        (_ALARM, "Threshold", nothing, "less-protection: {} goes off at another threshold"),
        (_DASHBOARD, "DashboardBody", plain_widgets, "unlisted-change: {} calls functions to draw itself"),
        (_DASHBOARD, "DashboardName", NAME, "it names the dashboard"),
        (_LOG, "RetentionInDays", more(float("inf")), "less-protection: {} keeps its records for a shorter time"),
        (_SECRET, "GenerateSecretString.PasswordLength", more(32), "less-protection: {} has a shorter password"),
        (_SECRET, "SecretString", nothing, "unlisted-change: secret {} holds something else"),
        (_SECRET, "Name", NAME, "it names the secret"),
        (_FUNCTION, "MemorySize", more(128), "unlisted-change: function {} has less memory"),
        (_FUNCTION, "Timeout", more(3), "unlisted-change: function {} has less time"),
        (_FUNCTION, "Role", nothing, "wider-rights: function {} runs with the rights of another role"),
        (_FUNCTION, "Layers", nothing, "new-code: function {} runs the code of other layers"),
        (_FUNCTION, "Code*", nothing, "new-code: function {} runs code from elsewhere"),
        (_FUNCTION, "FunctionName", NAME, "it names the function"),
        (_MAPPING, "BatchSize", anything, "how fast messages are handled, not whether"),
        (_MAPPING, "MaximumBatchingWindowInSeconds", anything, "messages are late, not lost"),
        (_MAPPING, "ScalingConfig.*", anything, "how fast messages are handled, not whether"),
        (_MAPPING, "FilterCriteria*", nothing, "data-loss: {} deletes messages that a filter does not match"),
        (_MAPPING, "FunctionResponseTypes", nothing, "data-loss: {} handles a failed message differently"),
        (_MAPPING, "Enabled", ON, "less-protection: {} is switched off"),
        (_TOPIC, "DisplayName", anything, "words"),
        (_TOPIC, "TopicName", NAME, "it names the topic"),
        ("AWS::*", "*.Version", one_of("2012-10-17"), "unlisted-change: {}: an older policy language, no variables"),
        (_KEY, "KeyPolicy.Statement", keeps_grants, "less-protection: {} refuses somebody who could use it"),
        (f"{_TOPIC}Policy", "*.Statement", keeps_grants, "less-protection: {} refuses somebody: alarms stay unsent"),
        *(
            ("AWS::*", f"{name}{path}", readable_policy, "unknown-effect: {} has a policy that cannot be read")
            for name in ("PolicyDocument", "AssumeRolePolicyDocument")
            for path in ("", ".Statement")
        ),
        (_KEY, "EnableKeyRotation", ON, "less-protection: {} is no longer rotated"),
        (_KEY, "RotationPeriodInDays", less(365), "less-protection: {} is rotated less often"),
        (_KEY, "PendingWindowInDays", more(30), "data-loss: {} can be lost sooner"),
        (_USER, "LoginProfile", lambda old, new: not (old and new), "console-access: {} has another password"),
        (_USER, "LoginProfile.PasswordResetRequired", one_of(True, False, None), "see IDENTITIES"),
        (_USER, "LoginProfile.*", nothing, "console-access: {} has another password"),
        ("AWS::IAM::AccessKey", "*", IDENTITIES, "see IDENTITIES"),
        ("AWS::IAM::*", "PermissionsBoundary", IDENTITIES, "see IDENTITIES"),
        ("AWS::IAM::Role", "MaxSessionDuration", less(3600), "less-protection: a session of {} lasts longer"),
        ("AWS::IAM::*", "Path", nothing, "unlisted-change: {} has another path"),
        *(("AWS::IAM::*", f"{name}*", RIGHTS, "see RIGHTS") for name in ("PolicyDocument", "AssumeRolePolicy")),
        *(("AWS::IAM::*", name, RIGHTS, "see RIGHTS") for name in ("Policies", "ManagedPolicyArns")),
        *(("AWS::IAM::*", name, RIGHTS, "see RIGHTS") for name in ("Users", "Groups", "Roles", "*Name")),
        *((f"AWS::{kind}Policy", "*", RIGHTS, "see RIGHTS") for kind in ("SQS::Queue", "SNS::Topic", "S3::Bucket")),
        *(("AWS::Lambda::Permission", name, RIGHTS, "see RIGHTS") for name in ("Action", "FunctionName", "Principal")),
        *(("AWS::Lambda::Permission", name, RIGHTS, "see RIGHTS") for name in ("Source*", "PrincipalOrgID")),
        ("AWS::*", "Description", anything, "words"),
        ("AWS::*", "Tags", anything, "tags are for people; a policy that depends on them is read as it is"),
        ("AWS::*", "DependsOn", anything, "the order of creation; what is created is the same"),
        *(
            ("AWS::*", name, nothing, "less-protection: {} is encrypted with another key | {} has lost its KMS key")
            for name in ("KmsMasterKeyId", "KmsKeyId")
        ),
        ("AWS::*", "DeletionPolicy", kept, "data-loss: {} is no longer kept (DeletionPolicy)"),
        ("AWS::*", "UpdateReplacePolicy", kept, "data-loss: {} is no longer kept (UpdateReplacePolicy)"),
        (_ALARM, "*", nothing, "less-protection: {} watches something else"),
        ("output", "Description", anything, "words"),
        ("output", "Export", lambda old, new: not old, "unlisted-change: output {} is exported differently"),
        ("output", "*", nothing, "unlisted-change: output {} has another value, which scripts and people use"),
        ("stack", "terminationProtection", ON, "less-protection: {} can be deleted: no termination protection"),
        ("stack", "tags*", anything, "tags are for people"),
        ("stack", "environment", nothing, "deployed-elsewhere: {} is deployed to another account or region"),
        ("stack", "notificationArns", nothing, "deployed-elsewhere: {} reports its events to another topic"),
        ("stack", "additionalDependencies", anything, "the order of deployment"),
        ("stack", "*", nothing, "deployed-elsewhere: {} is deployed in another way"),
        ("asset", "*", nothing, "deployed-elsewhere: {} is published in another way"),
        *(
            ("cdk.json", f"context.@aws-cdk/core:{name}", ON, "weaker-review: the CDK checks less on synthesis")
            for name in ("checkSecretUsage", "validateAgainstDefaultRules")
        ),
        ("cdk.json", "context*", anything, "settings: what they change is synthesized"),
        ("cdk.json", "requireApproval", one_of("any-change", "broadening"), "weaker-review: the CLI asks less often"),
        *(
            ("cdk.json", name, anything, "what it changes is synthesized, or only printed")
            for name in ("notices", "versionReporting", "pathMetadata", "assetMetadata", "progress")
        ),
        ("cdk.json", "*", nothing, "weaker-review: cdk.json runs something else on deployment"),
        ("package*.json", "description", anything, "words"),
        ("package.json", "devDependencies.*", a_version, "weaker-review: npm installs something from elsewhere"),
        ("package.json", "*", nothing, "weaker-review: npm does something else"),
        ("package-lock.json", "*.resolved", same_source, "weaker-review: npm installs something from elsewhere"),
        ("package-lock.json", "*.integrity", lambda old, new: new, "weaker-review: npm no longer checks a package"),
        ("package-lock.json", "*.hasInstallScript", one_of(None), "weaker-review: a package runs code when installed"),
        ("package-lock.json", "*", no_package, "weaker-review: npm installs a package that was not there"),
    )
)


def row_of(kind: str, path: str) -> Row | None:
    """The first row about a property."""
    return next((r for r in ROWS if fnmatch.fnmatchcase(kind, r.type) and fnmatch.fnmatchcase(path, r.path)), None)


def stricter_alarm(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether an alarm goes off at least as early: by its threshold in the direction of its comparison."""
    operators = before.get("ComparisonOperator"), after.get("ComparisonOperator")
    old, new = before.get("Threshold"), after.get("Threshold")
    if operators[0] != operators[1]:
        return False
    return (less() if str(operators[0]).startswith("Greater") else more())(old, new)


_QUIET = {_DASHBOARD, "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy"}
_QUIET |= {"AWS::Lambda::Permission", "AWS::SecretsManager::ResourcePolicy", "AWS::Logs::ResourcePolicy"}
_QUIET |= {f"AWS::IAM::{kind}Policy" for kind in ("", "Managed", "User", "Group", "Role")}
_QUIET |= {f"AWS::IAM::{kind}" for kind in ("Group", "Role", "User", "AccessKey", "UserToGroupAddition")}

ADDED = {
    *_QUIET,
    _ALARM,
    _LOG,
    "AWS::Logs::MetricFilter",
    "AWS::Logs::QueryDefinition",
    "AWS::IAM::OIDCProvider",
    "AWS::IAM::SAMLProvider",
}
"""Types whose new resources are harmless, or judged by other rules. New alarms must be ours, and dashboards plain."""

REPLACED = {*_QUIET, _ALARM, _FUNCTION, _MAPPING}
"""Types that lose nothing when CloudFormation replaces a resource by another."""

REMOVED = {*_QUIET, _SECRET}
"""Types that take rights or secrets away when they are removed, and nothing that anybody stored."""

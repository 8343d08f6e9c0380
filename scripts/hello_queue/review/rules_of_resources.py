"""What is lost or less protected, and what the templates do not show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hello_queue.review.changes import Change
from hello_queue.review.findings import ABSENT, Finding, shown
from hello_queue.review.synthesis import Templates

_KEPT = ("Retain", "RetainExceptOnCreate", "Snapshot")
_DEFAULT_RETENTION_SECONDS = 345_600


def data_loss(change: Change) -> Iterator[Finding]:
    if change.type != "AWS::SQS::Queue" or not change.before:
        return
    name = change.name_before
    if change.is_removed:
        kept = change.before.get("DeletionPolicy") in _KEPT
        after = "kept, but no longer in the stack" if kept else "deleted with its messages"
        yield change.finding("data-loss", f"queue {name} is removed", "", "a queue", after)
        return
    if change.is_replaced:
        reasons = [each["name"] for each in change.properties if each["impact"] in ("WILL_REPLACE", "MAY_REPLACE")]
        what = f"queue {name} is replaced" + (f" by {change.name}" if change.name != name else "")
        before, after = (", ".join(shown(change.values(reason)[side]) for reason in reasons) for side in (0, 1))
        yield change.finding("data-loss", what, ", ".join(reasons), before, after)
    was, now = change.before.get("Condition"), change.after.get("Condition")
    if now and now != was:
        yield change.finding("data-loss", f"queue {name} exists only on a condition", "Condition", was, now)
    old, new = change.values("MessageRetentionPeriod")
    if _less(new, old, _DEFAULT_RETENTION_SECONDS):
        yield change.finding(
            "data-loss", f"queue {name} keeps messages for a shorter time", "MessageRetentionPeriod", old, new
        )
    old, new = change.values("RedrivePolicy")
    if old and not new:
        yield change.finding("data-loss", f"queue {name} has no dead-letter queue", "RedrivePolicy", old, new)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        if old.get("deadLetterTargetArn") != new.get("deadLetterTargetArn"):
            targets = old.get("deadLetterTargetArn"), new.get("deadLetterTargetArn")
            what = f"queue {name} has another dead-letter queue"
            yield change.finding("data-loss", what, "RedrivePolicy.deadLetterTargetArn", *targets)
        counts = old.get("maxReceiveCount"), new.get("maxReceiveCount")
        if _less(counts[1], counts[0], 10):
            what = f"queue {name} moves messages to its dead-letter queue after fewer receives"
            yield change.finding("data-loss", what, "RedrivePolicy.maxReceiveCount", *counts)
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        was, now = change.before.get(policy), change.after.get(policy)
        if was in _KEPT and now not in _KEPT:
            yield change.finding(
                "data-loss", f"queue {name} is no longer kept ({policy})", policy, was, now or "Delete"
            )


_ENCRYPTED_BY = ("KmsMasterKeyId", "KmsKeyId", "KMSKeyId", "BucketEncryption", "EncryptionConfiguration")
_GUARDED_BY = ("LoggingConfiguration", "PublicAccessBlockConfiguration", "RedriveAllowPolicy", "TracingConfig")


def less_protection(change: Change) -> Iterator[Finding]:
    if not change.before:
        return
    if change.is_removed:
        if change.type in ("AWS::Logs::LogGroup", "AWS::CloudWatch::Alarm", "AWS::CloudTrail::Trail"):
            yield change.finding("less-protection", f"{change.name} is removed", "", change.type, None)
        return
    for prop in (*_ENCRYPTED_BY, *_GUARDED_BY):
        old, new = change.values(prop)
        if old and old != new:
            yield change.finding("less-protection", f"{change.name}: {prop} changed or removed", prop, old, new)
    old, new = change.values("SqsManagedSseEnabled")
    if old is True and new is not True and not change.values("KmsMasterKeyId")[1]:
        yield change.finding("less-protection", f"{change.name} is not encrypted", "SqsManagedSseEnabled", old, new)
    for prop in ("ActionsEnabled", "Enabled", "IsLogging"):
        old, new = change.values(prop)
        if old is not False and new is False:
            yield change.finding("less-protection", f"{change.name} is switched off", prop, old, new)
    old, new = change.values("RetentionInDays")
    if _less(new, old, 10**9):
        what = f"{change.name} keeps its records for a shorter time"
        yield change.finding("less-protection", what, "RetentionInDays", old, new)


_KNOWN = {
    *("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::Lambda::Permission", "AWS::SSM::Parameter"),
    *("AWS::IAM::AccessKey", "AWS::IAM::Group", "AWS::IAM::GroupPolicy", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"),
    *("AWS::IAM::OIDCProvider", "AWS::IAM::Role", "AWS::IAM::RolePolicy", "AWS::IAM::SAMLProvider", "AWS::IAM::User"),
    *("AWS::IAM::UserPolicy", "AWS::IAM::UserToGroupAddition", "AWS::KMS::Alias", "AWS::KMS::Key"),
    *("AWS::Logs::LogGroup", "AWS::Logs::ResourcePolicy", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"),
    *("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy"),
    *("AWS::SecretsManager::ResourcePolicy", "AWS::SecretsManager::Secret"),
}
"""The resource types that the rules know. A new resource of any other type needs a decision."""

_OPAQUE = (
    "AWS::CloudFormation::Stack",
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudFormation::Macro",
    "Custom::",
)


def unknown_effects(change: Change) -> Iterator[Finding]:
    if change.type.startswith(_OPAQUE) and not change.is_removed:
        what = f"{change.stack}/{change.logical_id}"
        yield change.finding("unknown-effect", what, "", change.before and change.type, change.type)
    elif not change.before and change.type not in _KNOWN:
        yield change.finding("unknown-effect", f"{change.stack}/{change.logical_id}", "", None, change.type)
    if change.type in ("AWS::IAM::OIDCProvider", "AWS::IAM::SAMLProvider") and not change.is_removed:
        properties = (each.get("Properties") for each in (change.before, change.after))
        yield change.finding("new-trust", f"any identity of provider {change.logical_id}", "", *properties)


_DECIDING = ("Transform", "Parameters", "Mappings", "Conditions", "Rules")
"""The sections of a template that decide at deploy time what its resources are."""


def deciding_sections(before: Templates, after: Templates) -> Iterator[Finding]:
    for stack, template in after.items():
        old = before.get(stack, {})
        for section in _DECIDING:
            if template.get(section) != old.get(section):
                what = f"{stack}: {section} changed, which decides at deploy time what is created"
                values = shown(old.get(section)), shown(template.get(section))
                yield Finding("unknown-effect", what, stack, section, "", *values)
        if "Fn::Transform" in json.dumps(template) and template != old:
            what = f"{stack}: Fn::Transform rewrites the template at deploy time"
            yield Finding("unknown-effect", what, stack, "Fn::Transform", "", ABSENT, "Fn::Transform")


def _less(new: Any, old: Any, default: int) -> bool:
    """Whether a number is smaller than before, or may be, because it is not a number."""
    old, new = (default if value is None else value for value in (old, new))
    if isinstance(old, int) and isinstance(new, int):
        return new < old
    return bool(old != new)

"""Prepared changes of the golden templates, and what a review finds in them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any

import yaml

from hello_queue.project import ROOT
from hello_queue.review.comparison import Comparison, compare
from hello_queue.review.findings import WHY
from hello_queue.review.synthesis import GOLDEN

Templates = dict[str, Any]
Change = Callable[[Any, Any], None]
"""Changes the resources of the identity stack and those of the messaging stack."""

IDENTITY, MESSAGING, WORKERS = "HelloQueueIdentity", "HelloQueueMessaging", "HelloQueueWorkers"
ARN = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:test"


@functools.cache
def _golden(variant: str) -> Templates:
    folder = ROOT / GOLDEN
    files = [*sorted((folder / "default").glob("*.yaml")), *(folder / variant).glob("*.yaml")]
    return {path.stem: yaml.safe_load(path.read_text()) for path in files}


def golden(variant: str = "default") -> Templates:
    """A variant's golden templates, to change at will."""
    return copy.deepcopy(_golden(variant))


def logical_id(stack: str, kind: str, variant: str = "default", **properties: Any) -> str:
    """The logical id of the one resource of this type with these properties."""
    (found,) = (
        logical_id
        for logical_id, resource in _golden(variant)[stack]["Resources"].items()
        if resource["Type"] == kind and properties.items() <= resource.get("Properties", {}).items()
    )
    return str(found)


USER = logical_id(IDENTITY, "AWS::IAM::User")
GROUP = logical_id(IDENTITY, "AWS::IAM::Group")
POLICY = logical_id(IDENTITY, "AWS::IAM::ManagedPolicy", ManagedPolicyName="test-queue-user")
ACCESS_KEY = logical_id(IDENTITY, "AWS::IAM::AccessKey")
KEY_SECRET = logical_id(IDENTITY, "AWS::SecretsManager::Secret", Name="Administrator/access-key")
QUEUE = logical_id(MESSAGING, "AWS::SQS::Queue", QueueName="test")
DEAD_LETTER_QUEUE = logical_id(MESSAGING, "AWS::SQS::Queue", QueueName="test-dlq")
QUEUE_POLICY = logical_id(MESSAGING, "AWS::SQS::QueuePolicy", Queues=[{"Ref": QUEUE}])


def statement(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", **changes}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def properties(resources: Any, logical_id: str) -> Any:
    return resources[logical_id]["Properties"]


def use_the_queue(identity: Any) -> Any:
    """The statement by which the user may use the queue."""
    return properties(identity, POLICY)["PolicyDocument"]["Statement"][0]


def tls_only(messaging: Any) -> Any:
    """The statements of the queue's policy, which denies everything without TLS."""
    return properties(messaging, QUEUE_POLICY)["PolicyDocument"]["Statement"]


def changed(change: Change, before: Templates) -> Templates:
    """The templates after a change, without the outputs of what is gone."""
    after = copy.deepcopy(before)
    change(after[IDENTITY]["Resources"], after[MESSAGING]["Resources"])
    for stack, template in after.items():
        gone = before[stack]["Resources"].keys() - template["Resources"].keys()
        outputs = template["Outputs"].items()
        template["Outputs"] = {name: each for name, each in outputs if not any(id_ in str(each) for id_ in gone)}
    return after


def compare_changes(changes: Iterable[Change], variant: str = "default") -> dict[str, Comparison]:
    """Each change of a variant's templates, by the change's name. The CDK's diff runs once for all of them."""
    by_name = {change.__name__: change for change in changes}
    before = golden(variant)
    compared = compare([(before, changed(change, before)) for change in by_name.values()])
    return dict(zip(by_name, compared, strict=True))


def finding_ids(before: Templates, after: Templates) -> list[str]:
    ((findings, _),) = compare([(before, after)])
    return [finding.id for finding in findings]


def assert_decisions(comparison: Comparison, expected: list[str]) -> None:
    """These findings, each complete; and a note on the change itself."""
    findings, notes = comparison
    assert [finding.id for finding in findings] == expected
    assert notes
    for finding in findings:
        assert finding.kind in WHY
        assert finding.stack.startswith("HelloQueue")
        assert finding.before != finding.after

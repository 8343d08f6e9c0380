"""Each property of each resource in the golden templates, changed by program: reported, or known to be harmless."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from hello_queue.review.comparison import compare
from hello_queue.review.synthesis import VARIANTS
from tests.review.templates import Templates, golden

FOREIGN = "arn:aws:iam::999999999999:role/foreign"
WEIRD: tuple[Any, ...] = (None, [], {}, [None], [[]], "", 0, True, {"Ref": 1}, {"Fn::GetAtt": 1}, {"Fn::Join": "x"})

HARMLESS = {
    # Nobody can do more, and nothing is lost.
    "Description": "words",
    "AlarmDescription": "words",
    "Sid": "a statement's name",
    "AWS::IAM::ManagedPolicy removed": "fewer rights",
    "AWS::IAM::Policy removed": "fewer rights",
    "AWS::IAM::AccessKey removed": "an access key less",
    "AWS::CloudWatch::Dashboard removed": "alarms watch, not dashboards",
    "AWS::SecretsManager::Secret removed": "nobody can read it any more",
    "DashboardBody": "alarms watch, not dashboards",
    "DashboardName": "a name",
    "AlarmName": "a name",
    "ManagedPolicyName": "a name; the rights stay",
    "PolicyName": "a name; the rights stay",
    "GroupName": "a name; its rights and members stay",
    "DelaySeconds": "messages are late, not lost",
    "BatchSize": "how fast messages are handled",
    "MaximumBatchingWindowInSeconds": "how fast messages are handled",
    "MaximumConcurrency": "how fast messages are handled",
    "DependsOn": "the order of creation",
    "Threshold changed": "halved: the alarm goes off earlier",
    "EvaluationPeriods changed": "halved: the alarm goes off earlier",
    "RetentionInDays removed": "records are kept for ever",
    "DeletionPolicy removed": "the default is what it was",
    "UpdateReplacePolicy removed": "the default is what it was",
    "MessageRetentionPeriod removed": "the default is what it was",
    "VisibilityTimeout removed": "the default is what it was",
    "MemorySize removed": "the default is what it was",
    "PasswordLength removed": "the default is what it was",
    "LoginProfile removed": "no more password",
    "PendingWindowInDays removed": "30 days instead of 7",
    # Rights: what is removed or narrowed.
    "Action removed": "fewer rights",
    "NotAction removed": "more is denied",
    "Statement removed": "fewer rights; a denial that is removed is reported",
    "PolicyDocument removed": "fewer rights",
    "AssumeRolePolicyDocument removed": "nobody may assume the role",
    "Condition removed": "of a denial: more is denied; of a right, it is reported",
    "Service removed": "nobody has the right",
    "AWS removed": "nobody has the right",
    "Principal removed": "of a denial: everybody, as before",
    "Groups removed": "a member less",
    "Properties removed": "fewer rights",
    "ManagedPolicyArns": "instead of AdministratorAccess, which allows everything",
    "Resource": "instead of *, which is everything",
    "Action changed": "instead of *, which is everything",
}
"""What may stay quiet, by the property and, where it matters, what is done to it."""


class Mutation(NamedTuple):
    where: tuple[str, ...]
    how: str
    before: Templates
    after: Templates

    @property
    def property(self) -> str:
        """The innermost property's name, or the resource's type."""
        names = [name for name in self.where[2:] if not name.isdigit()]
        for inner in ("Condition", "Principal"):
            if inner in names[:-1] and names[-1] not in ("Service", "AWS"):
                return inner
        return names[-1]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a resource. References are taken as a whole."""
    if path:
        yield path
    if isinstance(value, dict) and not any(key == "Ref" or key.startswith("Fn::") for key in value):
        for key, each in value.items():
            yield from places(each, (*path, key))
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from places(each, (*path, index))


def changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value // 2 or 1 - value
    return f"{value}x" if isinstance(value, str) else "x"


def replaced(template: Any, path: tuple[Any, ...], *value: Any) -> Any:
    """The template with another value there, or with none."""
    after = copy.deepcopy(template)
    place = after["Resources"]
    for step in path[:-1]:
        place = place[step]
    if value:
        place[path[-1]] = value[0]
    else:
        del place[path[-1]]
    return after


def value_at(template: Any, path: tuple[Any, ...]) -> Any:
    place = template["Resources"]
    for step in path:
        place = place[step]
    return place


def all_places() -> Iterator[tuple[Templates, str, tuple[Any, ...]]]:
    """Templates, a stack, and a path in it: each resource once, although many variants have it."""
    seen = set()
    for variant in VARIANTS:
        templates = golden(variant)
        for stack, template in templates.items():
            for name, resource in template["Resources"].items():
                for path in ((), *places(resource)):
                    key = repr((stack, name, path, value_at(template, (name, *path))))
                    if key not in seen:
                        seen.add(key)
                        yield templates, stack, (name, *path)


def mutations() -> Iterator[Mutation]:
    for templates, stack, path in all_places():
        template = templates[stack]
        old = value_at(template, path)
        where = (stack, path[0], template["Resources"][path[0]]["Type"], *map(str, path[1:]))
        new = {"changed": [changed(old)], "removed": [], "foreign": [FOREIGN]}
        for how, value in new.items():
            if len(path) > 1 or how == "removed":
                yield Mutation(where, how, templates, {**templates, stack: replaced(template, path, *value)})


@pytest.mark.parametrize("share", [8, pytest.param(1, marks=pytest.mark.soak)])
def test_each_mutation_is_reported_or_known_to_be_harmless(share: int, capsys: pytest.CaptureFixture[str]) -> None:
    cases = list(mutations())[::share]
    comparisons = compare([(case.before, case.after) for case in cases])
    reported, harmless, unknown = 0, Counter[str](), []
    for case, (findings, notes) in zip(cases, comparisons, strict=True):
        assert notes, f"a change that nobody sees: {case.where} {case.how}"
        reasons = [HARMLESS.get(f"{case.property} {case.how}"), HARMLESS.get(case.property)]
        if findings:
            reported += 1
        elif any(reasons):
            harmless[next(reason for reason in reasons if reason)] += 1
        else:
            unknown.append((*case.where, case.how))
    with capsys.disabled():
        print(f"\n{len(cases)} mutations: {reported} reported, {harmless.total()} harmless: {dict(harmless)}")
    assert unknown == []
    assert reported > harmless.total()


@pytest.mark.parametrize("share", [16, pytest.param(1, marks=pytest.mark.soak)])
def test_no_shape_of_a_template_ends_in_a_traceback(share: int) -> None:
    cases = [
        (templates, {**templates, stack: replaced(templates[stack], path, weird)})
        for number, (templates, stack, path) in enumerate(all_places())
        for weird in (WEIRD[number % len(WEIRD)],)
    ]
    assert len(compare(cases[::share])) > 400 / share

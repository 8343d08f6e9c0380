"""Policy variables such as ${aws:username}, which ministack takes for text.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
A policy has them here whatever its Version is, and ``${*}`` stays text.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from ministack.core import iam_evaluator

from hello_queue.local_aws.pinned_internals import internal

_VARIABLE = re.compile(r"\$\{ *([\w.-]+:[^},]*[^},\s]) *(?:, *'([^']*)' *)?\}")

_NOTHING = ""
"""Matches no resource and no value, as a text does that has a variable without a value."""


def install() -> None:
    first_match = internal(iam_evaluator, "_first_match")
    internal(iam_evaluator, "_resolve_condition_key")

    def first_match_with_values(context: Any, statements: list[Any], effect: str) -> Any:
        return first_match(context, [_with_values(each, context) for each in statements], effect)

    iam_evaluator._first_match = first_match_with_values


def _with_values(statement: Any, context: Any) -> Any:
    """A statement for one request: with the values that variables have in it."""
    return dataclasses.replace(
        statement,
        resources=_filled(statement.resources, context),
        not_resources=_filled(statement.not_resources, context),
        conditions=_filled(statement.conditions, context),
    )


def _filled(value: Any, context: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, context) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, context) for each in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    values = []
    for name, default in _VARIABLE.findall(value):
        actual = iam_evaluator._resolve_condition_key(name, context)
        values.append(str(actual) if actual is not None else default)
    if _NOTHING in values:
        return _NOTHING
    return _VARIABLE.sub(lambda _: values.pop(0), value)

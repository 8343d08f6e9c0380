"""The requests that the review says are new: each is made before the change and after it, by whom it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hello_queue.rehearsal.account import Deployed
from hello_queue.rehearsal.predictions import Prediction
from hello_queue.rehearsal.principals import NoKeyError, key_of
from hello_queue.rehearsal.signed_calls import Caller, Right

Answer = bool | str
"""Whether a request is allowed, or why it could not be made."""


@dataclass(frozen=True)
class Witness:
    """A request that the review says is new, and what happened to it.

    Attributes:
        said: the finding.
        before, after: the answers before the change and after it.
    """

    said: Prediction
    before: Answer
    after: Answer


def answers(findings: Sequence[Prediction], state: Deployed) -> list[Answer]:
    """Make the request of each finding, in what is deployed.

    Args:
        findings: with the names that resources have now.
        state: what is deployed.
    """
    found: dict[Prediction, Answer] = {}
    for who in dict.fromkeys(each.who for each in findings):
        requests = [each for each in findings if each.who == who and each not in found]
        try:
            with key_of(state.principal(who)) as key:
                caller = Caller(key) if key else None
                found |= {each: _answer(each, state, caller) for each in requests}
        except NoKeyError as error:
            found |= {each: _obstacle(each) or str(error) for each in requests}
    return [found[each] for each in findings]


def _answer(said: Prediction, state: Deployed, caller: Caller | None) -> Answer:
    obstacle = _obstacle(said)
    if obstacle or said.request is None:
        return obstacle
    if caller is None:
        return False  # there is no such principal
    request = said.request
    resource = state.resolved(request.resource)
    if "${" in resource:
        return f"the ARN of {resource} is not known"
    return caller.may(Right(request.action, resource), request.context)


def _obstacle(said: Prediction) -> str:
    """Why a request cannot be made, or ""."""
    if said.request is None:
        return "the review has no example of it"
    if said.request.unknown:
        return f"it is not known whether this holds: {' and '.join(said.request.unknown)}"
    return ""

"""What the review says about a change, as far as a rehearsal can see whether it happens.

The only module here that knows the review. It takes from it the findings and the list of changes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from hello_queue.review.assembly import Synthesis
from hello_queue.review.base import Base
from hello_queue.review.findings import short
from hello_queue.review.naming import renamed
from hello_queue.review.rights.decision import Request
from hello_queue.review.rights.principals import OWN_ACCOUNT
from hello_queue.review.synthesis import DEFAULT
from hello_queue.review.working_tree import State, review

MORE_RIGHTS = ("escalation", "wider-rights", "weaker-condition", "weaker-denial", "new-member", "new-trust")
"""The kinds of findings about a principal that may do more than before."""


@dataclass(frozen=True)
class Prediction:
    """A finding of the review.

    Attributes:
        kind, text: its kind, and what it says.
        resource: the stack and the logical id.
        who: whose request it is about, such as ``user Administrator``; or "".
        request: a request that the review says is new; None if it has none.
    """

    kind: str
    text: str
    resource: tuple[str, str]
    who: str = ""
    request: Request | None = field(default=None, hash=False)


@dataclass(frozen=True)
class LostResource:
    """A resource that the review says is replaced or removed, with its name from before the change."""

    stack: str
    type: str
    name: str
    verb: str = "replaced"

    @property
    def text(self) -> str:
        return f"{self.verb}: {self.type} {self.name}"


@dataclass(frozen=True)
class Predictions:
    """What the review says.

    Attributes:
        findings: its findings with the default settings.
        lost: what is replaced or removed.
        names: the names that resources have before the change, by those that they have after it, where they differ.
    """

    findings: tuple[Prediction, ...] = ()
    lost: tuple[LostResource, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[Prediction]:
        return [each for each in self.findings if each.kind in kinds]

    def with_names_before(self, said: Prediction) -> Prediction:
        """A finding with the names from before the change."""
        request = said.request
        if request is not None:
            request = replace(request, resource=renamed(request.resource, self.names))
        kind, _, name = said.who.rpartition(" ")
        return replace(said, who=f"{kind} {self.names.get(name, name)}".strip(), request=request)

    def lost_of(self, types: Iterable[str]) -> list[LostResource]:
        """What is lost of these types."""
        return [each for each in self.lost if each.type in set(types)]


def in_background(function: Callable[[], Predictions]) -> Future[Predictions]:
    """Call a function while something else is waited for. The process does not wait for it to end."""
    future: Future[Predictions] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def predictions(commit: str, before: Synthesis, after: Synthesis) -> Predictions:
    """What the review says of a change.

    It compares what is deployed: golden files that are out of date do not count, nor what was accepted.

    Args:
        commit: the base.
        before, after: what the apps of the base and of the change synthesize.

    Raises:
        HelloQueueError: the review cannot be made.
    """
    base = Base(commit, {DEFAULT: before.templates}, [], [])
    reviewed = review(base, State({DEFAULT: before}), State({DEFAULT: after}), {}, [], [])
    findings = tuple(
        Prediction(each.kind, short(each.id), (each.stack, each.resource), _who(each.who), _example(each.request))
        for each in reviewed.open
    )
    lost = tuple(
        LostResource(each.stack, each.type, each.name_before, "removed" if each.is_removed else "replaced")
        for each in reviewed.changes
        if each.is_removed or each.is_replaced
    )
    names = {each.name: each.name_before for each in reviewed.changes if each.name != each.name_before}
    return Predictions(findings, lost, names)


def _who(who: str) -> str:
    return "this account" if who == OWN_ACCOUNT else who


def _example(request: Request | None) -> Request | None:
    """A request that can be made: whatever an unknown policy allows is none."""
    return None if request and request.action.startswith(("managed-policy:", "unreadable:")) else request

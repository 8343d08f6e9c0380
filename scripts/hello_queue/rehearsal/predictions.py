"""What the review says about a change, as far as a rehearsal can see whether it happens.

The only module here that knows the review. It takes from it the findings and the list of changes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hello_queue.errors import HelloQueueError
from hello_queue.review.findings import short
from hello_queue.review.naming import renamed
from hello_queue.review.rights.decision import Request
from hello_queue.review.synthesis import DEFAULT, REVIEWED, Variants
from hello_queue.review.working_tree import review_working_tree

MORE_RIGHTS = ("escalation", "wider-rights", "weaker-condition", "weaker-denial", "new-member", "new-trust")
"""The kinds of findings about a principal that may do more than before."""

DEPLOYED: Variants = {DEFAULT: REVIEWED[DEFAULT]}
"""The variant that a rehearsal deploys."""


@dataclass(frozen=True)
class Said:
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
class Gone:
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
        findings: its findings with the default settings, whether accepted or not.
        gone: what is replaced or removed.
        names: the names that resources have before the change, by those that they have after it, where they differ.
        failure: why there is no review, or None.
    """

    findings: tuple[Said, ...] = ()
    gone: tuple[Gone, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None

    def of_kind(self, *kinds: str) -> list[Said]:
        return [each for each in self.findings if each.kind in kinds]

    def with_names_before(self, said: Said) -> Said:
        """A finding with the names from before the change."""
        request = said.request
        if request is not None:
            request = replace(request, resource=renamed(request.resource, self.names))
        kind, _, name = said.who.rpartition(" ")
        return replace(said, who=f"{kind} {self.names.get(name, name)}".strip(), request=request)

    def gone_of(self, types: Iterable[str]) -> list[Gone]:
        """What is gone of these types."""
        return [each for each in self.gone if each.type in set(types)]


class ReviewInBackground:
    """The review of a working tree, made while the base is being deployed."""

    def __init__(self, base: str, root: Path) -> None:
        self._predictions = Predictions()
        self._bug: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(base, root), daemon=True)
        self._thread.start()

    def result(self) -> Predictions:
        """Wait for it."""
        self._thread.join()
        if self._bug is not None:
            raise self._bug
        return self._predictions

    def _run(self, base: str, root: Path) -> None:
        try:
            self._predictions = predictions(base, root)
        except HelloQueueError as error:
            self._predictions = Predictions(failure=str(error).strip().splitlines()[-1].strip())
        except BaseException as error:  # raised again where the result is asked for
            self._bug = error


def predictions(base: str, root: Path) -> Predictions:
    """What the review of a working tree says.

    Args:
        base: the commit to compare with.
        root: the working tree.

    Raises:
        HelloQueueError: the review cannot be made.
    """
    review = review_working_tree(base, root, variants=DEPLOYED)
    findings = tuple(
        Said(each.kind, short(each.id), (each.stack, each.resource), each.who, _example(each.request))
        for each in [*review.open, *review.accepted]
    )
    gone = tuple(
        Gone(each.stack, each.type, each.name_before, "removed" if each.is_removed else "replaced")
        for each in review.changes
        if each.is_removed or each.is_replaced
    )
    names = {each.name: each.name_before for each in review.changes if each.name != each.name_before}
    return Predictions(findings, gone, names)


def _example(request: Request | None) -> Request | None:
    """A request that can be made: whatever an unknown policy allows is none."""
    return None if request and request.action.startswith(("managed-policy:", "unreadable:")) else request

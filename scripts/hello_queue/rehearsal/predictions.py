"""What the review says about a change, as far as a rehearsal can see whether it happens.

The only module here that knows the review. It takes from it the findings and the list of changes.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hello_queue.errors import HelloQueueError
from hello_queue.local_aws.instance import ACCOUNT
from hello_queue.rehearsal.signed_calls import Right
from hello_queue.review.findings import Finding
from hello_queue.review.working_tree import review_working_tree

MORE_RIGHTS = ("escalation", "wider-rights", "weaker-condition", "weaker-denial", "new-member", "new-trust")
"""The kinds of findings about a principal that may do more than before."""

_GONE = re.compile(r"(REPLACED|removed): (\w+::\w+::\w+) (\S+?)(?::|$)")
"""How the review lists a resource that does not stay."""


@dataclass(frozen=True)
class Said:
    """A finding of the review.

    Attributes:
        kind, text: its kind, and what it says.
        resource: the stack and the logical id.
        who: the principal, such as ``user Administrator``.
        witness: the right that the review says is new, if it says one that a call without conditions shows.
    """

    kind: str
    text: str
    resource: tuple[str, str]
    who: str = ""
    witness: Right | None = None


@dataclass(frozen=True)
class Gone:
    """A resource that the review says is replaced or removed."""

    stack: str
    type: str
    text: str


@dataclass(frozen=True)
class Predictions:
    """What the review says.

    Attributes:
        findings: its findings with the default settings, whether accepted or not.
        gone: what is replaced or removed.
        failure: why there is no review, or None.
    """

    findings: tuple[Said, ...] = ()
    gone: tuple[Gone, ...] = ()
    failure: str | None = None

    def of_kind(self, *kinds: str) -> list[Said]:
        return [each for each in self.findings if each.kind in kinds]

    def witnesses(self, user: str) -> list[tuple[Said, Right]]:
        """The findings that say a new right of this user, with it."""
        return [(each, each.witness) for each in self.findings if each.witness and each.who == f"user {user}"]

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
    review = review_working_tree(base, root)
    default = [finding for finding, variants in review.open.items() if "default" in variants]
    findings = tuple(
        Said(each.kind, each.id, (each.stack, each.resource), *_witness(each)) for each in [*default, *review.accepted]
    )
    gone = tuple(
        Gone(note.stack, found.group(2), found.group(0).rstrip(":"))
        for note in review.notes
        if (found := _GONE.match(note.text))
    )
    return Predictions(findings, gone)


def _witness(finding: Finding) -> tuple[str, Right | None]:
    """Whose right a finding is about, and the right."""
    request = finding.request
    if request is None:
        return finding.who, None
    resource = request.resource
    for name, value in (("Partition", "aws"), ("Region", os.environ.get("AWS_REGION", "")), ("AccountId", ACCOUNT)):
        resource = resource.replace(f"${{AWS::{name}}}", value)
    is_exact = resource == "*" or not re.search(r"[*?$]", resource)
    conditions = {*request.context} - {"aws:SecureTransport"} or request.unknown
    return finding.who, Right(request.action, resource) if is_exact and not conditions else None

"""All policies that bear on a principal's requests, and what is looked for when two states of them are compared."""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field

from hello_queue.review.rights.statements import Statement

Truth = bool | None
"""None as long as it is open."""

Holds = Callable[[Statement], Truth]
"""Which statements hold for a request."""


@dataclass(frozen=True)
class Policies:
    """All policies that bear on the requests of one principal.

    Attributes:
        identity: what its own policies and those of its groups say.
        resource: what the policies of resources say about it. Their Allow is enough, as within one account.
        boundary: its permissions boundary, which limits what its identity policies allow; None if it has none.
    """

    identity: tuple[Statement, ...] = ()
    resource: tuple[Statement, ...] = ()
    boundary: tuple[Statement, ...] | None = None

    @property
    def statements(self) -> tuple[Statement, ...]:
        return (*self.identity, *self.resource, *(self.boundary or ()))

    def assuming(self, values: Mapping[str, str]) -> Policies:
        """The policies with variables replaced by these values."""

        def filled(statements: Iterable[Statement]) -> tuple[Statement, ...]:
            return tuple(each.assuming(values) for each in statements)

        boundary = None if self.boundary is None else filled(self.boundary)
        return Policies(filled(self.identity), filled(self.resource), boundary)

    def among(self, statements: Container[Statement]) -> Policies:
        """The policies without all other statements."""

        def kept(own: Iterable[Statement]) -> tuple[Statement, ...]:
            return tuple(each for each in own if each in statements)

        return Policies(
            kept(self.identity), kept(self.resource), None if self.boundary is None else kept(self.boundary)
        )

    @functools.cached_property
    def denials(self) -> frozenset[Statement]:
        return frozenset(each for each in self.statements if not each.allows)

    @functools.cached_property
    def _own(self) -> frozenset[Statement]:
        return frozenset(self.identity)

    @functools.cached_property
    def _of_resources(self) -> frozenset[Statement]:
        return frozenset(self.resource)

    def has(self, statement: Statement) -> tuple[bool, bool]:
        """Whether a statement is one of its own, and whether it is one of a resource's."""
        return statement in self._own, statement in self._of_resources

    def granted(self, holds: Holds) -> Truth:
        """Whether an Allow counts, whatever is denied."""
        own = any_of(holds(each) for each in self.identity if each.allows)
        if self.boundary is not None:
            own = all_of([own, any_of(holds(each) for each in self.boundary if each.allows)])
        return any_of([own, *(holds(each) for each in self.resource if each.allows)])

    def denied(self, holds: Holds) -> Truth:
        return any_of(holds(each) for each in self.statements if not each.allows)

    def allowed(self, holds: Holds) -> Truth:
        return all_of([self.granted(holds), not_(self.denied(holds))])


def unaffected(statement: Statement, before: Policies, after: Policies) -> Callable[[frozenset[Statement]], bool]:
    """Whether nothing can be new where only some statements hold: an Allow was there before, and so is each Deny."""
    was, is_ = before.has(statement), after.has(statement)
    kept = any(was) and before.boundary == after.boundary and was[0] == is_[0]
    gone = before.denials - after.denials
    return lambda alive: kept and not gone & alive


def newly_allowed(before: Policies, after: Policies, holds: Holds) -> Truth:
    """A request that is allowed after and was not before."""
    return all_of([after.allowed(holds), not_(before.allowed(holds))])


def newly_granted(before: Policies, after: Policies, holds: Holds) -> Truth:
    """One that no Allow covered before, either."""
    return all_of([after.allowed(holds), not_(before.granted(holds))])


def no_longer_denied(before: Policies, after: Policies, holds: Holds) -> Truth:
    """One that only a Deny refused before."""
    return all_of([after.allowed(holds), before.granted(holds), before.denied(holds)])


def not_(value: Truth) -> Truth:
    return None if value is None else not value


def all_of(values: Iterable[Truth]) -> Truth:
    open_ = False
    for value in values:
        if value is False:
            return False
        open_ = open_ or value is None
    return None if open_ else True


def any_of(values: Iterable[Truth]) -> Truth:
    open_ = False
    for value in values:
        if value:
            return True
        open_ = open_ or value is None
    return None if open_ else False


Goal = Callable[[Policies, Policies, Holds], Truth]
"""Whether a request is looked for, by the policies before and after and by which statements hold for it."""

Values = Mapping[str, str]
"""What policy variables stand for, and what CloudFormation fills in, by name; `ABSENT` if a request has none."""


@dataclass(frozen=True)
class Search:
    """What is looked for.

    Attributes:
        region: one of the statements, which must hold for the request.
        goal: what the request must be.
        before: the policies before the change.
        after: those after it.
        hopeless: whether the goal cannot be reached if only these statements hold.
        known: the values of variables that are the same in all requests.
    """

    region: Statement
    goal: Goal
    before: Policies
    after: Policies
    hopeless: Callable[[frozenset[Statement]], bool] = lambda _: False
    known: Values = field(default_factory=dict)

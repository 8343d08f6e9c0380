"""The order of messages within the groups of a FIFO queue, while several groups are handled at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from hello_queue.sqs.leases import Lease


class Groups:
    """Admits one message of each group at a time, in the order they were received."""

    def __init__(self) -> None:
        self._waiting: dict[str | None, deque[Lease]] = {}
        self._failed_until: dict[str | None, float] = {}

    def admit(self, leases: Iterable[Lease]) -> list[Lease]:
        """Take received messages. Returns those that can be handled now."""
        ready = []
        for lease in leases:
            group = lease.message.group
            if group in self._waiting:
                self._waiting[group].append(lease)
            else:
                self._waiting[group] = deque()
                ready.append(lease)
        return ready

    def next_after(self, handled: Lease) -> list[Lease]:
        """The message of the same group that can be handled now, if there is one."""
        self._failed_until.pop(handled.message.group, None)
        return self._advance(handled.message.group)

    def hold_back(self, failed: Lease, until: float) -> list[Lease]:
        """The messages of the same group, which must not overtake the failed one.

        Args:
            until: when that one has surely been received again.
        """
        group = failed.message.group
        self._failed_until[group] = until
        return list(self._waiting.pop(group, ()))

    def any_failed(self, now: float) -> bool:
        """Whether a failed message may not have been received again yet."""
        self._failed_until = {group: until for group, until in self._failed_until.items() if until > now}
        return bool(self._failed_until)

    def withdraw(self) -> list[Lease]:
        """Take back what has not begun."""
        waiting = [lease for leases in self._waiting.values() for lease in leases]
        for leases in self._waiting.values():
            leases.clear()
        return waiting

    def _advance(self, group: str | None) -> list[Lease]:
        if self._waiting[group]:
            return [self._waiting[group].popleft()]
        del self._waiting[group]
        return []

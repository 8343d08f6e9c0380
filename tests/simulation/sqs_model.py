"""A model of SQS's queues: standard, fair and FIFO, by AWS's documentation. It has no clock and no chance of its own.

The sources, each named at its rule (all below https://docs.aws.amazon.com/AWSSimpleQueueService/latest/):
[STD] SQSDeveloperGuide/standard-queues-at-least-once-delivery.html
[VIS] SQSDeveloperGuide/sqs-visibility-timeout.html
[POLL] SQSDeveloperGuide/sqs-short-and-long-polling.html
[DLQ] SQSDeveloperGuide/sqs-dead-letter-queues.html
[FIFO] SQSDeveloperGuide/FIFO-queues-understanding-logic.html
[ONCE] SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html
[FAIR] SQSDeveloperGuide/sqs-fair-queues.html
[QUOTA] SQSDeveloperGuide/quotas-messages.html
[RECEIVE], [DELETE], [CHANGE], [SEND] APIReference/API_ReceiveMessage.html, API_DeleteMessage.html,
    API_ChangeMessageVisibility.html, API_SendMessage.html
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from hello_queue.sqs.checksums import body_md5
from tests.simulation.stored import Misfortune, Stored

DEDUPLICATION_SECONDS = 300
"""[ONCE]: the deduplication interval is five minutes, from the first send, whatever became of the message."""
LONGEST_HIDDEN_SECONDS = 43_200
"""[VIS]: a message is hidden for at most 12 hours from its first receive."""
NOISY_SHARE, NOISY_MESSAGES = 0.1, 30
"""[FAIR]: a tenant is noisy that has more than a tenth of the messages in flight, and at least that many."""


class Queue:
    """A queue. ``observe`` is told of everything that happens to a message: what, the queue, and the message."""

    def __init__(
        self,
        name: str,
        clock: Callable[[], float],
        *,
        visibility_timeout: int = 30,
        delay: int = 0,
        max_receives: int = 0,
        dead_letters: Queue | None = None,
        content_based: bool = False,
        group_scope: bool = False,
        in_flight_limit: int = 120_000,
        retention: int = 345_600,
        misfortune: Misfortune | None = None,
        chance: random.Random | None = None,
        observe: Callable[[str, Queue, Stored], None] = lambda what, queue, message: None,
    ) -> None:
        self.name = name
        self.fifo = name.endswith(".fifo")
        self.visibility_timeout = visibility_timeout
        self.dead_letters = dead_letters
        self.content_based = content_based
        self.messages: list[Stored] = []
        self.misfortune = misfortune or Misfortune()
        self.chance = chance or random.Random(0)  # noqa: S311 (repeatable)
        self.waiting: list[Callable[[], None]] = []
        self._clock = clock
        self._delay = delay
        self._max_receives = max_receives
        self._group_scope = group_scope
        self._in_flight_limit = in_flight_limit
        self._retention = retention
        self._observe = observe
        self._seen: dict[str, tuple[float, Stored]] = {}
        self._by_handle: dict[str, Stored] = {}
        self._count = 0

    def changed(self) -> None:
        """Wake the long polls."""
        waiting, self.waiting = self.waiting, []
        for wake in waiting:
            wake()

    # Sending.

    def add(self, body: str, entry: Mapping[str, Any]) -> Stored:
        """Store a message, or find the one whose duplicate this is [ONCE]."""
        now = self._clock()
        key = None
        if self.fifo:
            key = entry.get("MessageDeduplicationId") or body_md5(body)
            if self._group_scope:
                key = f"{entry['MessageGroupId']}\n{key}"
            seen = self._seen.get(key)
            if seen is not None and now < seen[0] + DEDUPLICATION_SECONDS:
                return seen[1]
        delay = (
            self._delay if self.fifo else entry.get("DelaySeconds", self._delay)
        )  # [SEND]: FIFO has the queue's only
        late = not self.fifo and self.chance.random() < self.misfortune.late
        self._count += 1
        message = Stored(
            id=f"{self.name}-{self._count:06}",
            body=body,
            attributes=entry.get("MessageAttributes") or {},
            sent_at=now,
            visible_at=now + delay + late,
            sequence=self._count,
            group=entry.get("MessageGroupId"),
        )
        if key is not None:
            self._seen[key] = (now, message)
        self.messages.append(message)
        self._observe("stored", self, message)
        self.changed()
        return message

    # Receiving.

    def receive(self, most: int, visibility_timeout: int | None, *, short: bool) -> list[tuple[Stored, str]]:
        """Messages that are visible, each with its receipt handle [RECEIVE].

        Raises:
            OverflowError: too many are in flight, in a short poll of a standard queue [QUOTA].
        """
        now = self._clock()
        seconds = self.visibility_timeout if visibility_timeout is None else visibility_timeout
        self._expire(now)
        self._move_dead_letters(now)
        room = self._in_flight_limit - self.in_flight(now)
        if room <= 0 and short and not self.fifo:
            raise OverflowError
        candidates = self._candidates_fifo(now) if self.fifo else self._candidates_standard(now, short=short)
        received = []
        for message in candidates[: max(0, min(most, room))]:
            message.receives += 1
            if message.first_received_at is None:
                message.first_received_at = now
            message.handle = handle = f"{message.id}#{message.receives}"
            self._by_handle[handle] = message
            message.grants[handle] = now + seconds
            if self.fifo or self.chance.random() >= self.misfortune.twice:
                message.visible_at = now + seconds
            received.append((message, handle))
            self._observe("received", self, message)
        return received

    def find(self, handle: str) -> Stored | None:
        """The message that was received with this handle."""
        return self._by_handle.get(handle)

    def in_flight(self, now: float) -> int:
        return sum(message.receives > 0 and message.visible_at > now for message in self.messages)

    def next_change(self) -> float | None:
        """When the next message becomes visible."""
        now = self._clock()
        return min((each.visible_at for each in self.messages if each.visible_at > now), default=None)

    def _candidates_fifo(self, now: float) -> list[Stored]:
        """[FIFO]: the messages of a group in order, and none of it while one of it is hidden."""
        blocked = set()
        found = []
        for message in self.messages:
            if message.group in blocked:
                continue
            if message.visible_at > now:
                blocked.add(message.group)
            else:
                found.append(message)
        hidden = {message.group for message in self.messages if message.receives and message.visible_at > now}
        return [message for message in found if message.group not in hidden]

    def _candidates_standard(self, now: float, *, short: bool) -> list[Stored]:
        found = [message for message in self.messages if message.visible_at <= now]
        if not found:
            return found
        if self.misfortune.shuffled and self.chance.random() < self.misfortune.shuffled:
            self.chance.shuffle(found)
        if short and self.misfortune.missed:
            found = [each for each in found if self.chance.random() >= self.misfortune.missed]
        if any(message.group for message in found):  # [FAIR]: quiet tenants first
            flying = Counter(each.group for each in self.messages if each.receives and each.visible_at > now)
            total = sum(flying.values())
            noisy = {name for name, n in flying.items() if n >= NOISY_MESSAGES and n > NOISY_SHARE * total}
            found.sort(key=lambda message: message.group in noisy)
        return found

    def _expire(self, now: float) -> None:
        """[QUOTA]: the retention period is counted from the first send."""
        if any(message.sent_at + self._retention <= now for message in self.messages):
            self.messages = [message for message in self.messages if message.sent_at + self._retention > now]

    def _move_dead_letters(self, now: float) -> None:
        """[DLQ]: what was received as often as allowed moves when it would be received once more."""
        target = self.dead_letters
        if target is None:
            return
        dead = [each for each in self.messages if each.receives >= self._max_receives and each.visible_at <= now]
        for message in dead:
            self.messages.remove(message)
            self._observe("dead", self, message)
            target._count += 1
            moved = Stored(
                id=message.id,
                body=message.body,
                attributes=message.attributes,
                sent_at=now if self.fifo else message.sent_at,  # [DLQ]: FIFO resets the timestamp
                visible_at=now,
                sequence=target._count,
                group=message.group,
                source=message.source or self.name,
                receives=message.receives,
            )
            target.messages.append(moved)
            target.changed()

    # Deleting and hiding.

    def delete(self, handle: str) -> str | None:
        """Delete what was received with this handle. Returns the error code, if it is refused [DELETE]."""
        now = self._clock()
        message = self._by_handle.get(handle)
        if message is None:
            return "ReceiptHandleIsInvalid"
        if message.deleted:
            return None  # it is idempotent
        if self.fifo and message.grants[handle] <= now:
            return "InvalidParameterValue"  # "The receipt handle has expired"
        stale = message.handle != handle
        if message not in self.messages or (stale and self.chance.random() >= self.misfortune.stale_deletes):
            return None  # [DELETE]: the request succeeds, but the message might not be deleted
        self._observe("deleted", self, message)
        message.deleted = True
        self.messages.remove(message)
        if not self.fifo and self.chance.random() < self.misfortune.undeleted:
            self._bring_back(message, now)
        self.changed()
        return None

    def _bring_back(self, message: Stored, now: float) -> None:
        copy = Stored(
            id=message.id,
            body=message.body,
            attributes=message.attributes,
            sent_at=message.sent_at,
            visible_at=now + self.chance.uniform(0, 10),
            sequence=message.sequence,
            group=message.group,
            receives=message.receives,
        )
        self.messages.append(copy)
        self._observe("came back", self, copy)

    def hide(self, handle: str, seconds: int) -> str | None:
        """Hide a received message for so long from now. Returns the error code, if it is refused [CHANGE]."""
        now = self._clock()
        message = self._by_handle.get(handle)
        if message is None:
            return "ReceiptHandleIsInvalid"
        if message.deleted or message.handle != handle or message not in self.messages:
            return "InvalidParameterValue"  # "Message does not exist or is not available for visibility timeout change"
        if message.grants[handle] <= now:
            return "InvalidParameterValue" if self.fifo else "AWS.SimpleQueueService.MessageNotInflight"
        if now + seconds > (message.first_received_at or now) + LONGEST_HIDDEN_SECONDS:
            return "InvalidParameterValue"
        message.grants[handle] = message.visible_at = now + seconds
        self.changed()
        return None

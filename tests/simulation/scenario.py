"""What a simulated world is like: queue, processes, messages and handlers, drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.simulation.stored import Misfortune

NONE = Misfortune()


@dataclass(frozen=True)
class Behaviour:
    """What the handler does with a message.

    Attributes:
        kind: "ok", "flaky" (fails the first ``times``), "poison" (fails always), "later" (RetryLater the first
            ``times``), "exit" (SystemExit, once), "cancelled" (CancelledError, once), "cannot go on" (once) or
            "hang" (returns long after the most time for handling, once).
        seconds: how long it takes.
        wait: what RetryLater says.
    """

    kind: str
    seconds: float
    times: int = 0
    wait: int = 0


@dataclass(frozen=True)
class Scenario:
    """A world without its faults.

    Attributes:
        kind: "standard", "fair" or "fifo".
        seconds: how long faults may happen, before the world becomes calm and must drain.
        lines: the messages of each sender and producer: body, group and delay.
        slow: every handler takes at least 0.1 s, so that nothing is received ahead.
        gap: how many seconds pass, on average, between the lines of a sender; 0: as the world draws.
        batch: how many messages the handler takes at once; 0: one, not a batch.
    """

    kind: str
    seconds: float
    visibility_timeout: int
    max_receives: int
    delay: int
    content_based: bool
    group_scope: bool
    in_flight_limit: int
    misfortune: Misfortune
    senders: int
    producers: int
    consumers: int
    redrives: int
    concurrency: int
    sending: int
    max_handling_seconds: float
    retry_timeout: float
    grace: float
    limit: int | None
    empty_after: float | None
    entries_fail: bool
    slow: bool
    lines: dict[str, list[tuple[str, str | None, int]]]
    behaviours: dict[str, Behaviour]
    gap: float = 0
    batch: int = 0

    @property
    def handled_at_once(self) -> int:
        """How many messages a consumer may handle at once."""
        return self.concurrency * max(1, self.batch)

    @property
    def queue(self) -> str:
        return "main.fifo" if self.kind == "fifo" else "main"

    def previous(self, role: str) -> dict[str, str]:
        """For each message of a role that is not the first of its group, the one before it."""
        last: dict[str | None, str] = {}
        found = {}
        for body, group, _ in self.lines[role]:
            if group in last:
                found[body] = last[group]
            last[group] = body
        return found

    def description(self) -> str:
        """One line."""
        left_out = ("lines", "behaviours")
        return ", ".join(f"{name}={value}" for name, value in vars(self).items() if name not in left_out)

    @property
    def roles(self) -> list[str]:
        names = [f"consumer-{number}" for number in range(self.consumers)]
        names += [*self.lines]
        return names + [f"redrive-{number}" for number in range(self.redrives)]


def draw(chance: random.Random) -> Scenario:
    """A world."""
    kind = chance.choice(("standard", "standard", "fifo", "fifo", "fair"))
    fifo = kind == "fifo"
    visibility_timeout = chance.choice((4, 6, 12, 30))
    unlucky = not fifo and chance.random() < 0.4
    senders, producers = chance.choice(((1, 0), (1, 0), (2, 0), (0, 1), (1, 1)))
    slow = chance.random() < 0.25
    names = [f"sender-{number}" for number in range(senders)] + [f"producer-{number}" for number in range(producers)]
    groups = [f"g{number}" for number in range(chance.choice((1, 2, 5, 20)))]
    delays = kind == "standard" and chance.random() < 0.2
    size = chance.choice((3, 15, 40, 80))
    lines: dict[str, list[tuple[str, str | None, int]]] = {}
    for name in names:
        lines[name] = [
            (
                f"{name}:{number:03}",
                chance.choice(groups) if kind != "standard" else None,
                chance.choice((0, 0, 7)) if delays else 0,
            )
            for number in range(1, size + 1)
        ]
    max_handling = chance.choice((43_200.0, 43_200.0, 3.0, 20.0))
    trouble = chance.choice((0.0, 0.05, 0.3))
    behaviours = {
        body: _behaviour(chance, trouble, visibility_timeout, max_handling, slow=slow)
        for name in names
        for body, _, _ in lines[name]
    }
    return Scenario(
        kind=kind,
        seconds=chance.choice((5.0, 20.0, 60.0)),
        visibility_timeout=visibility_timeout,
        max_receives=chance.choice((2, 3, 5, 10)),
        delay=chance.choice((0, 0, 0, 5)),
        content_based=chance.random() < 0.5,
        group_scope=chance.random() < 0.5,
        in_flight_limit=chance.choice((120_000, 120_000, 12)),
        misfortune=Misfortune(
            twice=chance.choice((0, 0.03)),
            undeleted=chance.choice((0, 0.03)),
            shuffled=chance.choice((0, 0.5, 1)),
            late=chance.choice((0, 0.2)),
            stale_deletes=chance.choice((0, 0.5, 1)),
        )
        if unlucky
        else NONE,
        senders=senders,
        producers=producers,
        consumers=chance.choice((1, 1, 2, 3)),
        redrives=chance.choice((0, 0, 1)),
        concurrency=chance.choice((1, 2, 4, 16)),
        sending=chance.choice((1, 4, 64)),
        max_handling_seconds=max_handling,
        retry_timeout=chance.choice((0.0, 5.0, 20.0, 60.0)),
        grace=chance.choice((1.0, 10.0, 30.0)),
        limit=chance.choice((None, None, None, 1, 7, 25)),
        empty_after=chance.choice((None, None, 2.0, 10.0)),
        entries_fail=not fifo or chance.random() < 0.5,
        slow=slow,
        lines=lines,
        behaviours=behaviours,
    )


def _behaviour(
    chance: random.Random, trouble: float, visibility_timeout: int, max_handling: float, *, slow: bool
) -> Behaviour:
    seconds = chance.choice((0.0, 0.0, 0.01, 0.05)) if not slow else chance.choice((0.1, 0.3, 1.0))
    if chance.random() < 0.04:
        seconds = chance.uniform(0.5, 3) * visibility_timeout
        if seconds > max_handling * 0.9:
            seconds = max_handling * 0.9
    if chance.random() >= trouble:
        return Behaviour("ok", seconds)
    kind = chance.choice(("flaky", "flaky", "poison", "later", "exit", "cancelled", "cannot go on", "hang"))
    if kind == "hang" and max_handling > 100:
        kind = "flaky"
    return Behaviour(kind, seconds, times=chance.choice((1, 1, 2)), wait=chance.choice((0, 1, 3, 20)))

"""Worlds that come nearer to what can go wrong.

Each draws from a random stream of its own, and only seeds from `FIRST` on have them: the seeds before it, which the
tests keep by their number, are the worlds that they were when they failed.
"""

from __future__ import annotations

import random
from dataclasses import replace

from tests.simulation.faults import DELETE, EXTENSION, RECEIVE, SEND, Event
from tests.simulation.scenario import NONE, Behaviour, Scenario

FIRST = 1_795_622_400_000
"""Fresh seeds are the time in milliseconds: this is 2026-11-25, 16:00 UTC."""
FIRST_WITH_BATCHES = 1_795_629_600_000
"""2026-11-25, 18:00 UTC: from here on, some worlds have handlers of batches."""


def varied(seed: int, scenario: Scenario, events: list[Event]) -> tuple[Scenario, list[Event]]:
    """The world of a seed: as it was drawn, or a special one."""
    if seed < FIRST:
        return scenario, events
    chance = random.Random(f"variety of {seed}")  # noqa: S311 (repeatable)
    special = chance.choice((None, _redrives, _leases, _leases, _stops, _outage, _batches, _batches))
    if special is not None:
        scenario, events = special(chance, scenario)
    if seed >= FIRST_WITH_BATCHES and chance.random() < 0.25:
        scenario = replace(scenario, batch=chance.choice((1, 2, 5, 10, 25)))
    return scenario, events


def _redrives(chance: random.Random, scenario: Scenario) -> tuple[Scenario, list[Event]]:
    """There are dead letters soon, and most faults hit those who move them."""
    behaviours = _some(chance, scenario, 0.3, "poison")
    scenario = replace(
        scenario,
        seconds=40.0,
        visibility_timeout=4,
        max_receives=2,
        delay=0,
        redrives=3,
        limit=None,
        behaviours=behaviours,
    )
    kinds = ["answer lost", "overtaken", "stalled", "request stalled", "slow", "throttled", "duplicated", "expired"]
    kinds += ["entries fail", "entries missing"] if scenario.entries_fail else []
    events = []
    for number in range(chance.randint(2, 8)):
        who = chance.choice(("redrive-0", "redrive-1", "redrive-2"))
        at = chance.uniform(8, 40)
        action = chance.choice((RECEIVE, SEND, DELETE))
        if chance.random() < 0.5:
            kind, share = chance.choice(kinds), chance.choice((0.5, 1.0))
            events.append(Event(number, kind, at, chance.choice((3, 10)), share, who, chance.choice(("", action))))
        elif chance.random() < 0.5:
            # Not what it sends: a FIFO queue would drop what the next redrive sends as a duplicate of what was altered.
            events.append(Event(number, "altered", at, 10, 0.5, who, RECEIVE))
        else:
            kind = chance.choice(("kill", "freeze"))
            events.append(_at_a_call(chance, number, kind, at, who, action, chance.choice((5, 70))))
    return scenario, events


def _leases(chance: random.Random, scenario: Scenario) -> tuple[Scenario, list[Event]]:
    """Handlers take as long as some visibility timeouts, extensions fail now and then, and processes are frozen for
    about a visibility timeout while they wait for an answer."""
    timeout = chance.choice((4, 6, 12))
    behaviours = {
        body: Behaviour("ok", chance.uniform(0.1, 2.5) * timeout)
        if behaviour.kind == "hang" or chance.random() < 0.5
        else behaviour
        for body, behaviour in scenario.behaviours.items()
    }
    scenario = replace(
        scenario,
        seconds=40.0,
        visibility_timeout=timeout,
        max_handling_seconds=chance.choice((43_200.0, 3.0 * timeout)),
        max_receives=10,
        concurrency=chance.choice((2, 4, 16)),
        slow=False,
        lines={role: lines[:15] for role, lines in scenario.lines.items()},
        behaviours=behaviours,
    )
    kinds = ["stalled", "slow", "answer lost", "request lost", "broken", "throttled", "request stalled"]
    whom = [role for role in scenario.roles if role.startswith("consumer")]
    events = [Event(0, chance.choice(kinds), 0, 40, chance.choice((0.15, 0.3)), "", EXTENSION)]
    if chance.random() < 0.5:
        action = chance.choice((RECEIVE, DELETE))
        kind = chance.choice(("slow", "stalled", "entries fail" if scenario.entries_fail else "broken"))
        events.append(Event(1, kind, 0, 40, chance.choice((0.1, 0.3)), "", action))
    for number in range(2, 2 + chance.randint(0, 3)):
        action = chance.choice((EXTENSION, EXTENSION, DELETE, RECEIVE))
        seconds = timeout * chance.uniform(0.4, 1.6)
        who = chance.choice(whom)
        events.append(_at_a_call(chance, number, "freeze", chance.uniform(0, 30), who, action, seconds))
    if chance.random() < 0.3:  # it is suspended while it stops
        who, at = chance.choice(whom), chance.uniform(0, 30)
        events.append(Event(6, "stop", at, who=who))
        events.append(Event(7, "freeze", at + chance.uniform(0, 1), chance.uniform(5, 90), who=who))
    return scenario, events


def _stops(chance: random.Random, scenario: Scenario) -> tuple[Scenario, list[Event]]:
    """Nothing goes wrong, but consumers are stopped at bad moments. Messages trickle in, so that receives are waiting
    for them, and the visibility timeout is no longer than a long poll."""
    behaviours = _some(chance, scenario, 0.05, "cannot go on")
    scenario = replace(
        scenario,
        seconds=60.0,
        visibility_timeout=chance.choice((4, 4, 6)),
        max_receives=10,
        misfortune=NONE,
        redrives=0,
        gap=chance.choice((0.3, 3.0, 3.0)),
        behaviours=behaviours,
    )
    events = []
    for number in range(chance.randint(0, 6)):
        who = f"consumer-{chance.randrange(scenario.consumers)}"
        at = chance.uniform(0, 50)
        if chance.random() < 0.5:
            events.append(Event(number, "stop", at, who=who))
        else:
            events.append(_at_a_call(chance, number, "stop", at, who, chance.choice((EXTENSION, RECEIVE, DELETE))))
    return scenario, events


def _batches(chance: random.Random, scenario: Scenario) -> tuple[Scenario, list[Event]]:
    """Batches are answered wrongly or in part, or not at all, and senders have more or less patience."""
    if scenario.entries_fail:
        kinds = ["entries fail", "entries missing", "altered", "altered", "answer lost"]
        patience = (0.0, 5.0, 20.0)
    else:
        kinds = ["throttled", "throttled", "refused", "answer lost", "overtaken"]
        patience = (0.0, 0.0, 5.0)
    sending = chance.choice((1, 4, 64))
    scenario = replace(scenario, seconds=20.0, retry_timeout=chance.choice(patience), sending=sending)
    if scenario.kind == "fifo":
        scenario = replace(scenario, redrives=0)  # see _redrives about what they send
    events = []
    for number in range(chance.randint(1, 4)):
        kind, share, action = chance.choice(kinds), chance.choice((0.2, 0.5)), chance.choice((SEND, SEND, RECEIVE))
        at = chance.choice((0, chance.uniform(0, 3)))
        events.append(Event(number, kind, at, chance.choice((3, 10)), share, "", action))
    return scenario, events


def _outage(chance: random.Random, scenario: Scenario) -> tuple[Scenario, list[Event]]:
    """SQS is out of reach for minutes: retries must wait longer each time, and end."""
    scenario = replace(scenario, seconds=200.0, retry_timeout=chance.choice((5.0, 20.0)))
    kind = chance.choice(("refused", "unavailable", "throttled", "request lost"))
    # A program that sends many messages, and tries each once, would be taken for one that does not wait.
    action = chance.choice((RECEIVE, DELETE) if scenario.producers else ("", RECEIVE, DELETE, SEND))
    return scenario, [Event(0, kind, chance.uniform(0, 3), chance.uniform(20, 180), 1.0, "", action)]


def _some(chance: random.Random, scenario: Scenario, share: float, kind: str) -> dict[str, Behaviour]:
    """The behaviours, with a share of them of this kind."""
    return {
        body: replace(behaviour, kind=kind) if chance.random() < share else behaviour
        for body, behaviour in scenario.behaviours.items()
    }


def _at_a_call(
    chance: random.Random, number: int, kind: str, at: float, who: str, action: str, seconds: float = 0
) -> Event:
    return Event(number, kind, at, seconds, who=who, action=action, step=chance.choice((1, 1, 2, 3, 5, 9)))

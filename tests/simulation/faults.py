"""What goes wrong in a simulated world, and when: a list of events, drawn from a seed before anything runs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

REQUESTS = {
    "throttled": "SQS answers RequestThrottled",
    "broken": "SQS answers InternalError, half of the time after it has acted",
    "unavailable": "SQS answers ServiceUnavailable",
    "refused": "no connection",
    "unconnected": "connecting takes too long",
    "request lost": "the connection ends before SQS acts",
    "answer lost": "the connection ends after SQS has acted",
    "overtaken": "the connection ends, and SQS acts up to 8 seconds later",
    "stalled": "SQS acts, and the answer never comes",
    "request stalled": "SQS acts, but only after the client has given up",
    "slow": "request and answer take seconds, and overtake each other",
    "duplicated": "the request acts twice",
    "entries fail": "some entries of a batch fail, and can be repeated",
    "entries missing": "the answer leaves entries of a batch out",
    "altered": "a body is changed on its way",
    "expired": "the credentials have expired",
}
PROCESSES = {
    "kill": "the process is killed at that time",
    "kill at a step": "the process is killed between two of its steps",
    "freeze": "the process stands still for seconds",
    "stop": "the process is asked to stop",
}
RECEIVE, DELETE, SEND, EXTENSION = (
    "ReceiveMessage",
    "DeleteMessageBatch",
    "SendMessageBatch",
    "ChangeMessageVisibilityBatch",
)
ACTIONS = ("", "", "", RECEIVE, DELETE, SEND, EXTENSION)


@dataclass(frozen=True)
class Event:
    """A fault.

    Attributes:
        number: its place in the list, by which it can be switched off.
        kind: one of REQUESTS or PROCESSES.
        at, seconds: when it begins (seconds after the beginning of the world), and how long it lasts.
        share: what part of the requests it hits.
        who: the role whose processes it hits; empty: all.
        action: the action it hits; empty: all. With a kind of PROCESSES: it happens right after such a call.
        step: at which step to kill, or after which call.
    """

    number: int
    kind: str
    at: float
    seconds: float = 0
    share: float = 1
    who: str = ""
    action: str = ""
    step: int = 0

    def __str__(self) -> str:
        text = f"event {self.number}: {self.kind}, at {self.at:.2f} s"
        if self.kind in REQUESTS:
            text += f" for {self.seconds:.2f} s, {self.share:.0%} of {self.action or 'all requests'}"
        elif self.kind == "freeze":
            text += f" for {self.seconds:.2f} s"
        if self.kind not in REQUESTS and self.step:
            text += f", at its {self.action or 'step'} {self.step}"
        return f"{text} of {self.who or 'all'}"


def draw(chance: random.Random, roles: Sequence[str], seconds: float, *, entries_fail: bool = True) -> list[Event]:
    """Faults for a world of so many seconds: none in one of six worlds, else up to 14."""
    if chance.random() < 1 / 6:
        return []
    kinds = [kind for kind in REQUESTS if entries_fail or kind not in ("entries fail", "entries missing", "altered")]
    events = []
    for number in range(chance.randint(1, 14)):
        at = chance.uniform(0, chance.choice((3, seconds)))  # most messages are sent within the first seconds
        who = chance.choice(roles)
        if chance.random() < 0.6:
            kind = chance.choice(kinds)
            outage = chance.random() < 0.1
            lasts = (
                chance.uniform(20, 60) if outage else chance.choice((0.05, 0.3, 1, 3, 10)) * chance.uniform(0.5, 1.5)
            )
            share = 1.0 if outage else chance.choice((0.2, 0.5, 1.0))
            whom = chance.choice((who, ""))
            events.append(Event(number, kind, at, lasts, share, whom, chance.choice(ACTIONS)))
        else:
            kind = chance.choice(("kill", "kill at a step", "kill at a step", "freeze", "stop"))
            lasts = chance.choice((0.5, 2, 5, 12, 40)) * chance.uniform(0.5, 1.5) if kind == "freeze" else 0
            step = int(10 ** chance.uniform(0, 3.2)) + 1 if kind == "kill at a step" else 0
            events.append(Event(number, kind, at, lasts, who=who, step=step))
    return events

"""A rehearsal as text for a terminal, as JSON, and as Markdown for a pull request.

Names, error messages and findings are the change's author's: `printable` and `in_markdown` escape them, so that they
cannot drive a terminal or imitate a line of the report.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass

from hello_queue.cli.terminal import in_markdown, printable
from hello_queue.rehearsal.observations import Observation


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal reports.

    Attributes:
        base: the commit that the change was compared with.
        observations: what was seen, disagreements first.
        seconds: how long all of it took.
        deploys: whether the change can be deployed.
    """

    base: str
    observations: list[Observation]
    seconds: float
    deploys: bool = True

    @property
    def disagreements(self) -> list[str]:
        """What the review says something else about."""
        return [each.about for each in self.observations if each.agrees is False]

    @property
    def verdict(self) -> str:
        verdict = "what was seen is what the review says"
        if self.disagreements:
            verdict = f"the review says something else about {', '.join(self.disagreements)}"
        return verdict if self.deploys else f"the change does not deploy; {verdict}"


def as_text(rehearsal: Rehearsal) -> str:
    """The rehearsal for a terminal."""
    return "\n".join(_text(rehearsal)) + "\n"


def _text(rehearsal: Rehearsal) -> Iterator[str]:
    verdict = printable(rehearsal.verdict)
    yield verdict[0].upper() + verdict[1:]
    yield f"Rehearsed over {rehearsal.base} in a local AWS, in {rehearsal.seconds:.0f} s"
    for each in rehearsal.observations:
        yield ""
        yield f"{'DISAGREES  ' if each.agrees is False else ''}{printable(each.about)}"
        yield f"  seen:    {printable(each.seen)}"
        yield f"  review:  {printable(each.said)}"


def as_json(rehearsal: Rehearsal) -> str:
    """The rehearsal as a JSON object."""
    content = {
        **dataclasses.asdict(rehearsal),
        "seconds": round(rehearsal.seconds, 1),
        "disagreements": rehearsal.disagreements,
    }
    return json.dumps(content, indent=2) + "\n"


def as_markdown(rehearsal: Rehearsal) -> str:
    """The rehearsal for a pull request."""
    rows = [
        f"| {'**disagrees** ' if each.agrees is False else ''}{in_markdown(each.about)} | {in_markdown(each.seen)} | "
        f"{in_markdown(each.said)} |"
        for each in rehearsal.observations
    ]
    title = f"## The change, rehearsed: {in_markdown(rehearsal.verdict)}"
    took = f"Deployed over `{rehearsal.base}` in a local AWS, in {rehearsal.seconds:.0f} s."
    return "\n".join([title, "", took, "", "| | seen | the review |", "|---|---|---|", *rows]) + "\n"


def failure_as_markdown(reason: str) -> str:
    """What takes the place of a rehearsal that failed, so that no older one stays."""
    return f"## The change, rehearsed: nobody knows\n\nThe rehearsal failed: {in_markdown(reason)}\n"

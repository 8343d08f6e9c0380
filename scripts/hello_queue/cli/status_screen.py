"""The state of a queue for a person: both queues, their last minutes, the time to drain, and the alarms."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hello_queue.cli.screen import foreign, mark
from hello_queue.operations.metrics import METRICS, Alarm, QueueSample, change_per_second, seconds_to_drain

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.text import Text

    from hello_queue.operations.group_sample import GroupSample

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.:-=+*#"
SHOWN_GROUPS = 20
SPARKS = 40
"""The most values that a sparkline shows: one a character, the latest last."""


def sparkline(values: Sequence[float | None], *, ascii_only: bool = False) -> str:
    """The latest values as bars, in proportion to the largest. What is not known stays empty."""
    latest = values[-SPARKS:]
    bars = _ASCII_BARS if ascii_only else _BARS
    largest = max((value for value in latest if value), default=0) or 1
    return "".join(" " if value is None else bars[round(value / largest * (len(bars) - 1))] for value in latest)


def picture(console: Console, samples: Sequence[QueueSample], notes: Sequence[str]) -> Text:
    """The screen.

    Args:
        samples: taken so far, the latest last.
        notes: what could not be read.
    """
    from rich.text import Text

    now = samples[-1]
    without = unknown(now)
    lines = [foreign(now.queue, style="bold")]
    for name, cell, history in (
        ("visible", count(now.visible), None),
        ("in flight", count(now.in_flight), None),
        ("delayed", count(now.delayed), None),
        ("in all", count(now.total), [sample.total for sample in samples]),
        ("sent/s", rate(now.sent_per_second, unknown=without), [sample.sent_per_second for sample in samples]),
        (
            "processed/s",
            rate(now.processed_per_second, unknown=without),
            [sample.processed_per_second for sample in samples],
        ),
        ("oldest", duration(now.oldest_seconds, unknown=without), [sample.oldest_seconds for sample in samples]),
        ("drained in", _drained_in(samples), None),
    ):
        bars = sparkline(history, ascii_only=console.options.ascii_only) if history and len(samples) > 1 else ""
        lines.append(Text.assemble((f"  {name:<12}", "dim"), f"{cell:>12}  ", (bars, "cyan")))
    lines.append(foreign(now.dead_letter_queue, style="bold"))
    dead = Text.assemble(("  messages    ", "dim"), f"{count(now.dead_letters):>12}")
    if now.dead_letters:
        dead.append("  python scripts/redrive.py shows them", style="bold red")
    lines.append(dead)
    if now.alarms is not None:
        lines.append(Text("alarms", style="bold"))
        lines += [_alarm(console, each) for each in now.alarms] or [Text("  none", style="dim")]
    lines += [foreign(note, style="yellow") for note in notes]
    if now.minute:
        lines.append(Text(f"The rates and the age are CloudWatch's of {now.minute:%H:%M} UTC", style="dim"))
    elif METRICS not in now.errors:
        lines.append(Text("CloudWatch has no rates and no age yet: they come minutes late", style="dim"))
    for line in lines:
        line.rstrip()
    return Text("\n").join(lines)


def _alarm(console: Console, alarm: Alarm) -> Text:
    from rich.text import Text

    passed = {"OK": True, "ALARM": False}.get(alarm.state)
    line = Text.assemble("  ", mark(console, passed), " ", foreign(alarm.name), "  ", foreign(alarm.state))
    if passed is False and alarm.reason:
        line.append_text(foreign(f": {alarm.reason}"))
    return line


def _drained_in(samples: Sequence[QueueSample]) -> str:
    """From the change between the last two samples."""
    if len(samples) < 2:
        return NO_DATA
    drained = seconds_to_drain(samples[-2], samples[-1])
    if drained is None:
        return "never" if change_per_second(samples[-2], samples[-1]) > 0 else "not draining"
    return duration(drained)


def group_lines(sample: GroupSample) -> Text:
    """Messages and age by message group, the largest groups first."""
    from rich.text import Text

    of = f" of about {sample.visible:,}" if sample.visible >= sample.messages else ""  # SQS's count lags behind
    head = f"  by message group, in a sample of {sample.messages:,}{of} visible messages"
    lines = [Text.assemble(foreign(sample.queue, style="bold"), head)]
    if sample.groups:
        lines.append(Text(f"  {'messages':>10}{'oldest':>12}  group", style="dim"))
    groups = sorted(sample.groups.items(), key=lambda item: (-item[1].messages, item[0] or ""))
    for name, group in groups[:SHOWN_GROUPS]:
        figures = f"  {group.messages:>10,}{duration(group.oldest_seconds):>12}  "
        lines.append(Text.assemble(figures, Text("no group", style="dim") if name is None else foreign(name)))
    if more := groups[SHOWN_GROUPS:]:
        messages = sum(group.messages for _, group in more)
        lines.append(Text(f"  {messages:>10,}{'':>12}  in {len(more):,} more groups", style="dim"))
    return Text("\n").join(lines)


class Screen:
    """A screen that is redrawn in place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def draw(self, content: RenderableType) -> None:
        self._live.update(content, refresh=True)


@contextlib.contextmanager
def live(console: Console) -> Iterator[Screen]:
    """Redraw in place until the context ends. The last screen stays."""
    from rich.live import Live

    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as display:
        yield Screen(display)


UNREAD, NO_DATA = "?", "-"
"""What is shown for a value that could not be read, and for one that there is not (yet)."""


def unknown(sample: QueueSample) -> str:
    """What is shown for a metric that is None."""
    return UNREAD if METRICS in sample.errors else NO_DATA


def count(number: int | None) -> str:
    return UNREAD if number is None else f"{number:,}"


def rate(per_second: float | None, sign: str = "", *, unknown: str = NO_DATA) -> str:
    return unknown if per_second is None else f"{per_second:{sign},.1f}"


def duration(seconds: float | None, *, unknown: str = NO_DATA) -> str:
    """Seconds in the two largest units."""
    if seconds is None:
        return unknown
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours else f"{minutes} m {rest:02} s" if minutes else f"{rest} s"

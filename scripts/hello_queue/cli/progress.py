"""Progress of long work: a bar on a terminal, otherwise a line now and then. All of it goes to stderr."""

from __future__ import annotations

import contextlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from hello_queue.cli.terminal import printable
from hello_queue.sqs.periodic import every

_REDRAW_SECONDS = 0.2
_BAR_WIDTH = 20
_BESIDE_COUNTS = len("*  ━ 100 %, left 0:00:00")
"""The least width of a line beside the counts."""


def _print_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # at once: print writes the end of the line apart, and lines of threads would mix
    sys.stderr.flush()


_printers: list[Callable[[str], object]] = [_print_line]
"""How to print a line. The last one is in use."""


def report(line: str) -> None:
    """Print a line on stderr, above the progress bar if there is one. Foreign text in it is escaped."""
    _printers[-1](printable(line))


def counted(number: int, noun: str) -> str:
    """A number with its noun, as in ``1 line`` or ``2 lines``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def report_copies(maybe_twice: int, corrupted: int) -> None:
    """Report which copies of messages a queue may have beside those that were sent (see `Outcome`)."""
    if maybe_twice:
        report(f"{maybe_twice:,} may be in the queue twice: the response to a first attempt was lost")
    if corrupted:
        copies = "1 copy is" if corrupted == 1 else f"{corrupted:,} copies are"
        report(f"{copies} in the queue with other content than was sent (by MD5 digest): the original was sent again")


class Failures:
    """Counts failures by reason. Reasons that differ from message to message are counted together."""

    MOST_REASONS = 20
    SHOWN_REASONS = 3

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, reason: str) -> None:
        known = reason in self._counts or len(self._counts) < self.MOST_REASONS
        self._counts[reason if known else "other reasons"] += 1

    def report(self, line: str) -> None:
        """Print a line, and count it if it says why a message failed: by the exception's name."""
        if found := re.match(r"message \S+ failed at receive \d+: ([\w.]+)", line):
            self.count(found[1])
        report(line)

    def text(self) -> str:
        """Such as ``: ValueError 3, KeyError 1``; empty if there are none."""
        shown = self._counts.most_common(self.SHOWN_REASONS)
        return printable(": " + ", ".join(f"{reason[:40]} {number:,}" for reason, number in shown)) if shown else ""


@contextlib.contextmanager
def bar(total: int | None, done: Callable[[], int], counts: Callable[[], str]) -> Iterator[None]:
    """A progress bar, with the time left if the total is known.

    Args:
        total: in the unit that ``done`` counts, or None if it is unknown.
        done: how much is done.
        counts: what else to show.
    """
    # Imported here, because a script that sends one message need not wait for it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    beside: list[Any] = []
    bar_column = BarColumn(_BAR_WIDTH)
    if total is not None:
        beside = [bar_column, TextColumn("{task.percentage:>3.0f} %, left"), TimeRemainingColumn()]
    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), *beside]
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def fitting() -> str:
        """The counts. Where the line is too narrow, the bar gives way first; rich would cut the time left."""
        text, room = counts(), max(console.width - _BESIDE_COUNTS, 1)
        bar_column.bar_width = max(1, min(_BAR_WIDTH, room + 1 - len(text)))
        return text if len(text) <= room else f"{text[: room - 1]}…"

    # rich would print on stderr what is printed on stdout meanwhile. In a pipe, that would be lost data.
    redirect = sys.stdout.isatty()
    with Progress(*columns, console=console, auto_refresh=False, redirect_stdout=redirect) as progress:
        task = progress.add_task(fitting(), total=total)

        def draw() -> None:
            progress.update(task, completed=done(), description=fitting(), refresh=True)

        _printers.append(console.print)
        try:
            with every(_REDRAW_SECONDS, draw):
                yield
        finally:
            _printers.pop()
            draw()

"""Progress of long work: a bar on a terminal, otherwise a line now and then. All of it goes to stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from hello_queue.cli.terminal import printable
from hello_queue.sqs.periodic import every

_REDRAW_SECONDS = 0.2


def _print_line(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_printers: list[Callable[[str], object]] = [_print_line]
"""How to print a line. The last one is in use."""


def tell(line: str) -> None:
    """Print a line on stderr, above the progress bar if there is one. Foreign text in it is escaped."""
    _printers[-1](printable(line))


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

    columns: list[Any] = [SpinnerColumn(), TextColumn("{task.description}")]
    if total is not None:
        columns += [BarColumn(), TextColumn("{task.percentage:>3.0f} %, left"), TimeRemainingColumn()]
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        task = progress.add_task(counts(), total=total)

        def draw() -> None:
            progress.update(task, completed=done(), description=counts(), refresh=True)

        _printers.append(console.print)
        try:
            with every(_REDRAW_SECONDS, draw):
                yield
        finally:
            _printers.pop()
            draw()

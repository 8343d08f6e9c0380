"""What long work says while it goes on: a bar on a terminal, else a line now and then. All of it on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from hello_queue.cli.terminal import printable
from hello_queue.sqs.periodic import every

_REDRAW_SECONDS = 0.2


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_saying: list[Callable[[str], object]] = [_say]
"""How to say a line: the last one is in force."""


def tell(line: str) -> None:
    """Print a line on stderr; above the progress bar if there is one. Whatever it quotes, it stays one line."""
    _saying[-1](printable(line))


@contextlib.contextmanager
def bar(total: int | None, done: Callable[[], int], counts: Callable[[], str]) -> Iterator[None]:
    """A progress bar with the time left, as far as the total is known.

    Args:
        total: of whatever unit ``done`` counts; None if nobody knows.
        done: how much of it is done.
        counts: what else to show.
    """
    # Only now: a script that sends one message must not wait for it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns: list[Any] = [SpinnerColumn(), TextColumn("{task.description}")]
    if total is not None:
        columns += [BarColumn(), TextColumn("{task.percentage:>3.0f} %, left"), TimeRemainingColumn()]
    console = Console(stderr=True, highlight=False, markup=False)
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        task = progress.add_task(counts(), total=total)

        def draw() -> None:
            progress.update(task, completed=done(), description=counts(), refresh=True)

        _saying.append(console.print)
        try:
            with every(_REDRAW_SECONDS, draw):
                yield
        finally:
            _saying.pop()
            draw()

"""What long work says while it goes on: a bar on a terminal, else a line now and then. All of it on stderr."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

_REDRAW_SECONDS = 0.2


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_saying: list[Callable[[str], object]] = [_say]
"""How to say a line: the last one is in force."""


def tell(line: str) -> None:
    """Say a line to whoever watches; above the bar if there is one."""
    _saying[-1](line)


@contextlib.contextmanager
def every(seconds: float, do: Callable[[], object]) -> Iterator[None]:
    """Do something every so many seconds for as long as the context is open. 0: never."""
    if not seconds:
        yield
        return
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(seconds):
            do()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


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

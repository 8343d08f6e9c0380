"""Text for a person: tables, marks and colour on a terminal, the same without colour in a pipe or with NO_COLOR.

rich is imported when something is shown, so that scripts that show nothing start faster.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from hello_queue.cli.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

PASSED, FAILED, SKIPPED = True, False, None
_MARKS = {PASSED: ("✓", "ok", "green"), FAILED: ("✗", "!!", "bold red"), SKIPPED: ("–", "--", "yellow")}
PIPE_COLUMNS = 1_000
"""The width for a file or a program, unless COLUMNS is set: one line stays one line."""


def screen(file: TextIO | None = None, width: int | None = None) -> Console:
    """A console for a stream, stdout by default. It takes text as it is: nothing in it is markup."""
    from rich.console import Console

    stream = file or sys.stdout
    if width is None and not stream.isatty() and not os.environ.get("COLUMNS", "").isdigit():
        width = PIPE_COLUMNS
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def foreign(text: str, style: str = "") -> Text:
    """Text from anywhere, such as a name from AWS, made safe to print."""
    from rich.text import Text

    return Text(printable(text), style=style)


def mark(console: Console, passed: bool | None) -> Text:
    """A check mark, a cross or a dash; in letters where the terminal has no such characters."""
    from rich.text import Text

    sign, letters, style = _MARKS[passed]
    return Text(letters if console.options.ascii_only else sign, style=style)

"""The smoke test's result for a person: grouped, a line a check, details only where something is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hello_queue.checks.deployment import GROUPS
from hello_queue.checks.model import Check
from hello_queue.checks.rights import OPERATOR, USER
from hello_queue.cli.screen import foreign, mark, screen

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WHO = (USER, OPERATOR)

Cell = tuple["bool | None", str]
"""Whether a check passed, and what was decided."""


def show(console: Console, checks: Sequence[Check], *, verbose: bool) -> None:
    """Print the checks by group, then the counts.

    Args:
        verbose: show what was found also where nothing is wrong, and rights one by one.
    """
    for group in GROUPS:
        ours = [each for each in checks if each.group == group]
        if not ours:
            continue
        passed = sum(each.passed is True for each in ours)
        console.print(foreign(f"{group}  {passed} of {len(ours)}", style="bold"))
        in_table = [] if verbose else [each for each in ours if each.right and each.right.decision]
        if in_table:
            _show_rights(console, in_table)
        _show_failed_rights(console, [each for each in in_table if not each.passed])
        for each in ours:
            if each not in in_table:
                _show_check(console, each, verbose=verbose)
    console.print(foreign(summary(checks), style="bold red" if _failed(checks) else "bold green"))
    for line in _advice(checks):
        console.print(foreign(line), soft_wrap=True)


def summary(checks: Sequence[Check]) -> str:
    passed, failed = sum(each.passed is True for each in checks), len(_failed(checks))
    return f"{passed} checks passed, {failed} failed, {len(checks) - passed - failed} skipped"


def _failed(checks: Iterable[Check]) -> list[Check]:
    return [each for each in checks if each.passed is False]


def _advice(checks: Sequence[Check]) -> Iterable[str]:
    failed = _failed(checks)
    if any("cdk deploy" in each.fix for each in failed):
        yield "Give `cdk deploy` this deployment's -c settings, unless they are in cdk.json"
    late = sum(each.settles > 0 for each in failed)
    if late:
        yield f"{late} of the failed may only be late, right after a deployment: add --wait 120"


def _show_check(console: Console, check: Check, *, verbose: bool) -> None:
    from rich.text import Text

    console.print(Text.assemble("  ", mark(console, check.passed), " ", foreign(check.name)), overflow="fold")
    if check.passed is None or (verbose and check.passed):
        _show_indented(console, foreign(check.found, style="dim"))
    if check.passed is False:
        _show_details(console, check)


def _show_details(console: Console, check: Check) -> None:
    from rich.text import Text

    for name, value in (("found", check.found), ("expected", check.expected)):
        _show_indented(console, Text.assemble((f"{name:<10}", "dim"), foreign(value)))
    for command in check.fix.splitlines():
        # Not wrapped, so that it can be copied as one line.
        line = Text.assemble("      ", ("fix       ", "dim"), foreign(command, style="bold"))
        console.print(line, soft_wrap=True)


def _show_indented(console: Console, text: Text) -> None:
    from rich.padding import Padding

    console.print(Padding(text, (0, 0, 0, 6), expand=False), overflow="fold")


def _show_failed_rights(console: Console, checks: Sequence[Check]) -> None:
    """The details that the table does not have. Rights that failed alike share them."""
    alike: dict[tuple[str, str, str], list[Check]] = {}
    for each in checks:
        alike.setdefault((each.found, each.expected, each.fix), []).append(each)
    for group in alike.values():
        name = group[0].name if len(group) == 1 else f"{len(group)} rights, marked in the table"
        _show_check(console, dataclasses.replace(group[0], name=name), verbose=False)


def _show_rights(console: Console, rights: Sequence[Check]) -> None:
    """A table of actions by resource, and who may do them. Actions with the same answers share a row."""
    from rich.padding import Padding
    from rich.table import Table

    cells: dict[tuple[str, str], dict[str, Cell]] = {}
    for each in rights:
        if each.right is not None:
            cell = (each.passed, each.right.decision)
            cells.setdefault((each.right.resource, each.right.action), {})[each.right.who] = cell
    rows: dict[tuple[str, str, tuple[Cell | None, ...]], list[str]] = {}
    for (resource, action), found in cells.items():
        service, _, name = action.partition(":")
        rows.setdefault((resource, service, tuple(found.get(who) for who in WHO)), []).append(name)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("on", overflow="fold", max_width=26)
    table.add_column("action", overflow="fold", ratio=1)
    for who in WHO:
        table.add_column(who, no_wrap=True, min_width=len("✓ allowed"))
    for (resource, service, answers), names in rows.items():
        shown = [_answer(console, answer) for answer in answers]
        table.add_row(foreign(resource), foreign(f"{service}: {', '.join(names)}"), *shown)
    console.print(Padding(table, (0, 0, 0, 2), expand=False))


def _answer(console: Console, cell: Cell | None) -> Text:
    from rich.text import Text

    return Text() if cell is None else Text.assemble(mark(console, cell[0]), " ", cell[1])


def print_checks(checks: Sequence[Check], *, verbose: bool) -> None:
    """Print the checks on stdout."""
    show(screen(), checks, verbose=verbose)

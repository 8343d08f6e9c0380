"""The screens of the scripts with made-up figures, kept in tests/screens as text. ``make docs`` refreshes them."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from hello_queue.checks.model import Check, Right
from hello_queue.cli import smoke_screen, status_screen
from hello_queue.cli.screen import screen
from hello_queue.operations.group_sample import Group, GroupSample
from hello_queue.operations.metrics import Alarm, QueueSample
from hello_queue.project import ROOT

FOLDER = ROOT / "tests/screens"
WIDTHS = (80, 120)
EVIL = "a\x1b[31m\nforged\u202e [bold red]b[/]"
"""What AWS may return: it must not control the terminal, and is no markup."""

MINUTE = datetime.datetime(2026, 11, 24, 14, 3, tzinfo=datetime.timezone.utc)
ALARMS = (
    Alarm("test-dead-letters", "ALARM", f"Threshold crossed: 1 datapoint [2.0] was not less than 1.0 {EVIL}"),
    Alarm("test-oldest-message", "OK", ""),
    Alarm("test-in-flight", "INSUFFICIENT_DATA", ""),
)


def queue_samples() -> Iterator[QueueSample]:
    """A queue that fills, then drains."""
    for step in range(30):
        waiting = 400 * step if step < 12 else max(0, 4_800 - 250 * (step - 12))
        yield QueueSample(
            at=5.0 * step,
            visible=waiting,
            in_flight=min(64, waiting),
            delayed=80 if step < 12 else 0,
            dead_letters=2,
            queue="test",
            dead_letter_queue="test-dlq",
            minute=MINUTE,
            oldest_seconds=None if step < 3 else 2.0 * step,
            sent_per_second=80.0 if step < 12 else 0.4,
            processed_per_second=50.0,
            alarms=ALARMS,
        )


def right(action: str, resource: str, who: str, decision: str, passed: bool = True) -> Check:
    made = Right(action, resource, who, decision)
    fix = "" if passed else "npx cdk deploy HelloQueueIdentity --revert-drift"
    name = f"{action} on {resource}" + (", as an operator" if who == "operator" else "")
    return Check(name, "denied", f"{decision} (simulated)", passed, "rights", fix, made)


def checks(*, passed: bool) -> list[Check]:
    """Some checks of each group."""
    detach = "aws iam detach-user-policy --user-name Administrator --policy-arn arn:aws:iam::aws:policy/ReadOnlyAccess"
    redeploy = "npx cdk deploy HelloQueueMessaging --revert-drift"
    return [
        Check("user", "Administrator", "Administrator", True, "identity"),
        Check(
            "policies of Administrator",
            "test-queue-user",
            "test-queue-user" if passed else f"ReadOnlyAccess, {EVIL}, test-queue-user",
            passed,
            "identity",
            "" if passed else detach,
        ),
        *(
            right(f"sqs:{action}", "test", who, "allowed" if who == "user" else "denied")
            for action in ("ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage")
            for who in ("user", "operator")
        ),
        *(
            right(f"sqs:{action}", "test-dlq", who, "denied" if passed or who == "operator" else "allowed",
                  passed or who == "operator")
            for action in ("PurgeQueue", "SetQueueAttributes")
            for who in ("user", "operator")
        ),
        right("iam:ListUsers", "*", "user", "denied"),
        Check("test: DelaySeconds", "5", "5", True, "queue"),
        Check("test: VisibilityTimeout", "30", "30" if passed else "31", passed, "queue", "" if passed else redeploy,
              settles=60),
        Check("delivery of a message", "delivered after 5 s", "delivered after 5.03 s", True, "delivery")
        if passed
        else Check("delivery of a message", "delivered after 5 s", "skipped: the queue has messages (1 visible), and "
                   "receiving them counts toward maxReceiveCount", None, "delivery"),
    ]  # fmt: skip


def show_status(console: Console) -> None:
    console.print(status_screen.picture(console, list(queue_samples()), []))


def show_first_status(console: Console) -> None:
    """Once, without rights on the dead-letter queue, and before CloudWatch has values."""
    sample = QueueSample(0, 12, 0, 3, None, "test", "test-dlq")
    notes = [f"cannot read the dead-letter queue test-dlq: {EVIL} may not call GetQueueUrl"]
    console.print(status_screen.picture(console, [sample], notes))


def show_groups(console: Console) -> None:
    groups: dict[str | None, Group] = {"customer-7": Group(171, 72.0), EVIL: Group(28, 3.0), None: Group(1)}
    console.print(status_screen.group_lines(GroupSample("test", 4_790, 200, groups)))


SCREENS: dict[str, Callable[[Console], None]] = {
    "smoke_test": lambda console: smoke_screen.show(console, checks(passed=True), verbose=False),
    "smoke_test_failed": lambda console: smoke_screen.show(console, checks(passed=False), verbose=False),
    "smoke_test_verbose": lambda console: smoke_screen.show(console, checks(passed=True), verbose=True),
    "status": show_first_status,
    "status_groups": show_groups,
    "status_watch": show_status,
}


def rendered() -> dict[Path, str]:
    """Each screen at each width, without the spaces at the ends of lines."""
    found = {}
    for name, show in SCREENS.items():
        for width in WIDTHS:
            console = screen(file := io.StringIO(), width=width)
            show(console)
            lines = [line.rstrip() for line in file.getvalue().splitlines()]
            found[FOLDER / f"{name}.{width}.txt"] = "\n".join([*lines, ""])
    return found


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for path, text in rendered().items():
        path.write_text(text)


if __name__ == "__main__":
    write()

# PYTHON_ARGCOMPLETE_OK
"""Show the messages in the dead-letter queue, or move, edit, dump or delete them.

Without one of these actions nothing changes: the first messages are shown. --id, --match and --where pick messages; all
that are given must be true. If --move or --edit is killed, a message may end up in both queues, but is never lost. To
continue, run the same command again.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import functools
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from botocore import exceptions as aws

from hello_queue.aws.clients import client
from hello_queue.aws.errors import explain
from hello_queue.cli.dead_letters import Queues, overlooked, print_letters, warn_of_other_sources
from hello_queue.cli.main import DONE, FAILED, run
from hello_queue.cli.new_file import check_new
from hello_queue.cli.options import add_queue_options, field_value, message_id, number, parser, pattern, queue_url
from hello_queue.cli.progress import report
from hello_queue.cli.redriving import delete, dump, move, move_all, peek
from hello_queue.cli.terminal import printable
from hello_queue.errors import HelloQueueError, UsageError
from hello_queue.operations.dead_letters import unchanged
from hello_queue.operations.editing import Edited, changed, edited_file, editor, kept, read_edited, run_editor
from hello_queue.operations.scan import Scan
from hello_queue.operations.selection import Selection
from hello_queue.sqs.batches import Entry
from hello_queue.sqs.failures import last_failures
from hello_queue.sqs.queues import is_fifo

FIRST = 20
"""How many messages are shown, if nothing else was said."""

EXAMPLES = """\
  python scripts/redrive.py                            show the first messages
  python scripts/redrive.py --failures failures.jsonl  and why they failed
  python scripts/redrive.py --match timeout            those that contain it
  python scripts/redrive.py --move                     move all messages
  python scripts/redrive.py --move --where status=new --where customer.id=7
  python scripts/redrive.py --edit --id 5fea7756-0ea4-451a-a703-a558b933e274
  python scripts/redrive.py --dump letters.jsonl       keep a copy of all
  python scripts/redrive.py --delete --match '^test'   those that begin with it"""


def main() -> int:
    arguments = _parse()
    selection = Selection(arguments.id, arguments.match, dict(arguments.where))
    sqs = client("sqs")
    queues = Queues.of(sqs, queue_url(sqs, arguments))
    if arguments.dump is not None:
        return dump(queues, selection, arguments.dump)
    if arguments.edit:
        return _edit(queues, selection, arguments.first)
    if arguments.edited is not None:
        return _send_edited_file(queues, arguments.edited)
    acts = arguments.move or arguments.delete
    if not (acts and selection and arguments.yes):
        found, scan = peek(queues, selection, arguments.first)
        if not found:
            nothing = f"there is nothing to {'move' if arguments.move else 'delete'}: " if acts else ""
            report(nothing + queues.nothing_found(scan, selection))
        else:
            failures = None
            if arguments.failures is not None:
                failures = last_failures(arguments.failures, {each.message.id for each in found})
            print_letters(found, failures, as_json=arguments.json)
            report(queues.summary(found, scan, selection))
        if not (acts and found):
            return FAILED if selection and overlooked(queues, scan) else DONE
        if arguments.move:
            warn_of_other_sources(found, queues.arn(queues.url))
        _confirm(arguments, queues, _amount(selection, scan, arguments.first))
    if arguments.delete:
        return delete(queues, selection)
    if selection or is_fifo(queues.url):
        return move(queues, selection, functools.partial(unchanged, fifo=is_fifo(queues.url)))
    return move_all(queues)


def _edit(queues: Queues, selection: Selection, first: int) -> int:
    command = editor()
    found, scan = peek(queues, selection, first)
    if not found:
        report(f"there is nothing to edit: {queues.nothing_found(scan, selection)}")
        return FAILED if selection and overlooked(queues, scan) else DONE
    if scan.picked == first < queues.before:
        report(f"{'the first one is' if first == 1 else f'the first {first:,} are'} opened: --first takes more")
    fifo = is_fifo(queues.url)
    with edited_file(found) as path:
        while True:
            run_editor(command, path)
            try:
                entries = changed(read_edited(path), found, fifo=fifo)
                break
            except UsageError as error:
                if not _ask(f"{error}. Edit again? [Y/n] "):
                    raise UsageError(f"{error}{_kept_unasked(path)}") from None
        try:
            return _send_edited(queues, entries, lambda: _kept_unasked(path))
        except KeyboardInterrupt:
            if entries:
                report(f"{len(entries):,} were not sent{_kept(path)}")
            raise


def _send_edited_file(queues: Queues, edited: Edited) -> int:
    """Send the messages of a file that --edit has kept. Those that are gone, such as what was sent, are reported."""
    found, scan = peek(queues, Selection(list(edited.messages)), len(edited.messages))
    left_out = overlooked(queues, scan)
    entries = changed(edited, found, fifo=is_fifo(queues.url), gone=scan.missing)
    status = _send_edited(queues, entries, lambda: "")
    return FAILED if left_out else status


def _send_edited(queues: Queues, entries: dict[str, Entry], keep: Callable[[], str]) -> int:
    """Send messages as they were edited, and delete them in the dead-letter queue.

    Args:
        entries: what to send, by id. What was sent is removed from it.
        keep: keeps the others if nobody can be asked, and says where.
    """
    if not entries:
        report("nothing was changed, so nothing was sent")
        return DONE
    while True:
        try:
            status = move(
                queues,
                Selection(list(entries)),
                lambda each: entries[each.message.id],
                verb="sent as edited",
                on_moved=lambda each: entries.pop(each.message.id),
            )
        except (HelloQueueError, aws.BotoCoreError, aws.ClientError) as error:
            reason = str(error) if isinstance(error, HelloQueueError) else explain(error)
            if reason is None:
                raise
            if not _ask(f"{reason}. {len(entries):,} were not sent. Try again? [Y/n] "):
                raise HelloQueueError(f"{reason}{keep()}") from error
        else:
            if not entries:
                return status
            if not _ask(f"{len(entries):,} were not sent. Try again? [Y/n] "):
                report(f"{len(entries):,} were not sent{keep()}")
                return status


def _kept_unasked(path: Path) -> str:
    """Keep the edited file if nobody was asked, and say where."""
    return "" if _on_terminal() else _kept(path)


def _kept(path: Path) -> str:
    kept_at = kept(path)
    return f". The edited file is kept: continue with --edited {shlex.quote(str(kept_at))}" if kept_at else ""


def _on_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _answer(question: str) -> str:
    print(printable(question), end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline()
    except KeyboardInterrupt:
        print(file=sys.stderr)  # what follows is not part of the question
        raise


def _ask(question: str) -> bool:
    """Whether a person says yes, or only presses Enter. If there is nobody to ask: no."""
    if not _on_terminal():
        return False
    answer = _answer(question)
    return bool(answer) and answer.strip().lower() in ("", "y", "yes")


def _confirm(arguments: argparse.Namespace, queues: Queues, what: str) -> None:
    if arguments.yes:
        return
    if arguments.move:
        question, wanted = f"Move {what} to {queues.name}? [y/N] ", {"y", "yes"}
    else:
        question, wanted = f"Delete {what} of {queues.dead_letter_name} for good? Type delete: ", {"delete"}
    if _answer(question).strip().lower() not in wanted:
        raise HelloQueueError(f"nothing was {'moved' if arguments.move else 'deleted'}")


def _amount(selection: Selection, scan: Scan, first: int) -> str:
    if not selection:
        return "all messages"
    if scan.picked < first:
        return f"{scan.picked:,} message{'s' * (scan.picked != 1)}"
    return f"all messages that are picked, {first:,} or more,"


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    actions = options.add_argument_group("what to do (default: show messages)").add_mutually_exclusive_group()
    actions.add_argument("--move", action="store_true", help="move messages to the queue, after confirmation")
    actions.add_argument(
        "--edit",
        action="store_true",
        help="open messages in $VISUAL or $EDITOR (default: vi); move what you change. If a line is invalid, asks "
        "whether to edit again",
    )
    actions.add_argument(
        "--edited", metavar="FILE", help="move messages as they are in FILE, which --edit has kept when it failed"
    )
    actions.add_argument(
        "--dump", metavar="FILE", help="create FILE with the messages, as send.py --json-lines takes them"
    )
    actions.add_argument("--delete", action="store_true", help="delete messages for good, after confirmation")
    picks = options.add_argument_group("which messages (default: all)")
    picks.add_argument(
        "--id",
        metavar="ID",
        type=message_id,
        action="append",
        default=[],
        help="the one with this id (may be repeated)",
    )
    picks.add_argument("--match", metavar="REGEX", type=pattern, help="those whose body contains this pattern")
    picks.add_argument(
        "--where",
        metavar="FIELD=VALUE",
        type=field_value,
        action="append",
        default=[],
        help="those whose body is JSON with this value; customer.id=7 looks into an object (may be repeated)",
    )
    add_queue_options(options)
    how = options.add_argument_group("how")
    how.add_argument(
        "--first",
        metavar="N",
        type=number(1, 10_000),
        help=f"show, or open with --edit, up to N messages; {FIRST} without this option",
    )
    how.add_argument(
        "--failures", metavar="FILE", help="show why each message failed, from the file of process.py --failures"
    )
    how.add_argument("--yes", action="store_true", help="with --move or --delete: do not ask for confirmation")
    how.add_argument("--json", action="store_true", help="show a line of JSON for each message")
    arguments = options.parse_args()
    with_file = arguments.dump is not None or arguments.edited is not None
    if arguments.first is not None and (arguments.move or arguments.delete or with_file):
        options.error(
            f"--first {arguments.first} limits what is shown or edited, and nothing else: leave it out, and pick "
            "messages with --id, --match or --where"
        )
    arguments.first = arguments.first or FIRST
    if arguments.yes and not (arguments.move or arguments.delete):
        options.error("--yes needs --move or --delete")
    fields = [name for name, _ in arguments.where]
    for name in fields:
        if fields.count(name) > 1:
            options.error(f"--where {name}=... is given twice: a field has one value")
    if (arguments.move or arguments.delete) and not arguments.yes and not _on_terminal():
        what = "--move" if arguments.move else "--delete"
        options.error(f"standard input is not a terminal: for {what} without confirmation, add --yes")
    for name in ("failures", "json"):
        if getattr(arguments, name) not in (None, False) and (arguments.edit or with_file):
            options.error(f"--{name} has no effect with --edit, --edited and --dump: leave it out")
    if arguments.edit and not _on_terminal() and not (os.environ.get("VISUAL") or os.environ.get("EDITOR")):
        options.error(
            "standard input is not a terminal: for --edit without one, set VISUAL or EDITOR to a command that edits a "
            "file"
        )
    if arguments.edited is not None:
        if arguments.id or arguments.match or arguments.where:
            options.error("--edited moves the messages in its file: leave out --id, --match and --where")
        arguments.edited = read_edited(Path(arguments.edited), f"--edited {arguments.edited!r}")
        if not arguments.edited.messages:
            options.error(f"{arguments.edited.name} has no messages: nothing was sent")
    if arguments.dump is not None:
        check_new("--dump", arguments.dump)
    if arguments.failures is not None:
        if not arguments.failures:
            options.error("--failures '' is empty: give the name of the file of process.py --failures")
        arguments.failures = Path(arguments.failures)
        last_failures(arguments.failures, ())
    return arguments


if __name__ == "__main__":
    run(main)

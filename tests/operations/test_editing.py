"""Messages in an editor: which edits change nothing, and which are invalid."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hello_queue.errors import UsageError
from hello_queue.operations.dead_letters import DeadLetter
from hello_queue.operations.editing import changed, edited_file, read_edited
from hello_queue.sqs.handlers import from_receive

Edit = Callable[[str], str]


def edit(change: Edit) -> list[str]:
    """The bodies that are sent when two messages, a and b, were edited like this."""
    letters = []
    for body in ("a", "b"):
        received = {"MessageId": f"id-{body}", "ReceiptHandle": "", "Body": body}
        letters.append(DeadLetter(from_receive(received), received, 0))
    with edited_file(letters) as path:
        path.write_text(change(path.read_text()))
        entries = changed(read_edited(path), letters, fifo=False)
    return [str(entry.parameters["MessageBody"]) for entry in entries.values()]


def replaced(old: str, new: str) -> Edit:
    return lambda text: text.replace(old, new)


def test_what_is_changed_is_sent() -> None:
    assert edit(replaced('"b"', '"c"')) == ["c"]


@pytest.mark.parametrize(
    "change",
    [str, lambda _: "", lambda _: "# nothing", replaced('": "', '" :  "'), lambda text: text.rpartition("{")[0]],
    ids=["unchanged", "empty", "comment", "spaces", "a line less"],
)
def test_an_edit_that_changes_nothing(change: Edit) -> None:
    assert edit(change) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: f"{text}{{", "line 6 of the edited file: invalid JSON"),
        (replaced('"b"', '""'), "the message is empty"),
        (replaced('"b"', "5"), "it must be text"),
        (replaced('"b"', '"\x1b[1m"'), "invalid JSON"),
        (replaced('"b"', '"b", "delay": 901'), "from 0 to 900"),
        (replaced('"b"', '"b", "Group": "g"'), "unknown key 'Group'"),
        (replaced('"b"', f'"{"x" * 1_048_577}"'), "the limit is 1,048,576"),
        (replaced('"id"', '"group"'), "the id 'None' is not that of a message"),
        (replaced('"id": "', '"id": "0'), "is not that of a message that was opened"),
        (lambda text: text * 2, "appears twice"),
    ],
)
def test_an_invalid_edit(change: Edit, reason: str) -> None:
    with pytest.raises(UsageError, match=r"^line \d of the edited file: .+\. Nothing was sent$") as raised:
        edit(lambda text: change(text.replace('"a"', '"c"')))
    assert reason in str(raised.value)

"""redrive.py --edit: what a person changes in an editor is sent, and only then deleted."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.faults import Fault, FaultyPath
from tests.queues import bodies, fill
from tests.scripts.in_process import load, run_against
from tests.scripts.pairs import Pair, all_bodies
from tests.scripts.terminals import typed


class Editor:
    """An editor that does what a line of Python says with ``text``, and notes what it was given."""

    def __init__(self, folder: Path, change: str) -> None:
        self._notes = folder / "notes"
        self._script = folder / "editor.py"
        self._script.write_text(
            "import json, os, pathlib, stat, sys, time\n"
            "path = pathlib.Path(sys.argv[-1])\n"
            f"notes = pathlib.Path({str(self._notes)!r})\n"
            "turn = len(notes.read_text().splitlines()) if notes.exists() else 0\n"
            "modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)]\n"
            "with notes.open('a') as file: print(json.dumps([str(path), *modes]), file=file)\n"
            "text = path.read_text()\n"
            f"{change}\n"
            "path.write_text(text)\n"
        )

    @property
    def variables(self) -> dict[str, str]:
        return {"VISUAL": f"{sys.executable} '{self._script}'"}

    @property
    def started(self) -> bool:
        return self._notes.exists()

    def files(self) -> list[tuple[Path, int, int]]:
        """Path, mode, and mode of its folder, of each file that it was given."""
        found = [json.loads(line) for line in self._notes.read_text().splitlines()]
        return [(Path(path), mode, folder) for path, mode, folder in found]


def edit(aws: Aws, pair: Pair, editor: Editor, *options: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    return typed(aws, answer, "redrive.py", "--queue-url", pair.url, "--edit", *options, env=editor.variables)


def test_changed_messages_are_sent_and_the_others_stay(aws: Aws, pair: Pair, tmp_path: Path) -> None:
    author = {"Author": {"DataType": "String", "StringValue": "Ada"}}
    fill(aws, pair.dead, "good 1", "wrong 2", "other")
    aws.client("sqs").send_message(QueueUrl=pair.dead, MessageBody="wrong 1", MessageAttributes=author)
    editor = Editor(tmp_path, "text = text.replace('wrong', 'mended')")
    done = edit(aws, pair, editor, "--match", "good|wrong")
    assert (done.returncode, done.stdout) == (0, "2 sent as edited\n")
    found = aws.client("sqs").receive_message(
        QueueUrl=pair.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
    )["Messages"]
    assert {each["Body"]: each.get("MessageAttributes") for each in found} == {"mended 1": author, "mended 2": None}
    assert sorted(bodies(aws, pair.dead)) == ["good 1", "other"]
    ((file, mode, folder_mode),) = editor.files()
    assert (mode, folder_mode) == (0o600, 0o700)
    assert not file.parent.exists()


def test_nothing_happens(aws: Aws, pair: Pair, tmp_path: Path, path: FaultyPath) -> None:
    """tests/operations/test_editing.py has all edits that change nothing."""
    fill(aws, pair.dead, "a", "b")
    editor = Editor(tmp_path, "pass")
    done = typed(aws, "", "redrive.py", "--queue-url", pair.url, "--edit", env={**path.variables(), **editor.variables})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing was changed, so nothing was sent\n")
    assert path.count("SendMessageBatch") == path.count("DeleteMessageBatch") == 0
    assert sorted(bodies(aws, pair.dead)) == ["a", "b"]
    assert not editor.files()[0][0].exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("text += '{'", "line 6 of the edited file: invalid JSON"),
        ("path.unlink(); sys.exit()", "the edited file cannot be read: No such file"),
    ],
)
def test_invalid_edits(aws: Aws, pair: Pair, tmp_path: Path, path: FaultyPath, change: str, reason: str) -> None:
    """Nothing is sent, also not what is valid. tests/operations/test_editing.py has all such edits."""
    fill(aws, pair.dead, "a", "b")
    editor = Editor(tmp_path, f"text = text.replace('\"a\"', '\"c\"')\n{change}")
    done = typed(
        aws, "n\n", "redrive.py", "--queue-url", pair.url, "--edit", env={**path.variables(), **editor.variables}
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert done.stderr.splitlines()[-1].endswith("Nothing was sent")
    assert "\x1b" not in done.stderr
    assert path.count("SendMessageBatch") == path.count("DeleteMessageBatch") == 0
    assert not editor.files()[0][0].parent.exists()


def test_an_invalid_edit_is_kept_where_nobody_can_be_asked(aws: Aws, pair: Pair, tmp_path: Path) -> None:
    fill(aws, pair.dead, "a")
    editor = Editor(tmp_path, "text += '{'")
    env = {**editor.variables, "TMPDIR": str(tmp_path)}
    done = aws.script("redrive.py", "--queue-url", pair.url, "--edit", check=False, env=env)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "line 5 of the edited file: invalid JSON" in done.stderr
    path = Path(done.stderr.rpartition(". The edited file is kept: continue with --edited ")[2].rstrip("\n"))
    assert path.read_text().endswith("{")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]
    assert [each for each in tmp_path.iterdir() if each.is_dir()] == [path.parent]
    path.write_text(path.read_text().removesuffix("{").replace('"a"', '"b"'))
    sent = aws.script("redrive.py", "--queue-url", pair.url, "--edited", str(path))
    assert (sent.stdout, bodies(aws, pair.url), all_bodies(aws, pair.dead)) == ("1 sent as edited\n", ["b"], [])
    again = aws.script("redrive.py", "--queue-url", pair.url, "--edited", str(path), check=False)
    assert (again.returncode, again.stdout) == (1, "")
    gone, nothing = again.stderr.splitlines()
    assert "was not found in the dead-letter queue" in gone
    assert nothing == "nothing was changed, so nothing was sent"


def test_what_follows_an_interrupted_question_is_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        load("redrive.py")._ask("Edit again? [Y/n] ")
    assert capsys.readouterr().err == "Edit again? [Y/n] \n"


def test_an_invalid_edit_can_be_corrected(aws: Aws, pair: Pair, tmp_path: Path) -> None:
    fill(aws, pair.dead, "a")
    editor = Editor(tmp_path, "text = text.replace('}', '') if turn == 0 else text.replace('\"a\"', '\"b\"}')")
    done = edit(aws, pair, editor, answer="y\n")
    assert "Edit again? [Y/n]" in done.stderr
    assert (done.returncode, done.stdout) == (0, "1 sent as edited\n")
    assert bodies(aws, pair.url) == ["b"]


@pytest.mark.parametrize(
    ("variables", "status", "reason"),
    [
        ({"VISUAL": "/no/such/editor"}, 1, "the editor '/no/such/editor' cannot be started: No such file"),
        ({"VISUAL": "false"}, 1, "the editor 'false' ended with exit status 1: nothing was sent"),
        ({"VISUAL": "", "EDITOR": "'"}, 2, 'EDITOR="\'" is not a command: No closing quotation'),
        ({"VISUAL": " "}, 2, "VISUAL=' ' is not a command"),
        ({"VISUAL": "", "EDITOR": ""}, 2, "standard input is not a terminal: for --edit without one, set VISUAL"),
    ],
)
def test_editors_that_do_not_work(aws: Aws, pair: Pair, variables: dict[str, str], status: int, reason: str) -> None:
    fill(aws, pair.dead, "a")
    done = run_against(aws, "redrive.py", "--queue-url", pair.url, "--edit", check=False, env=variables)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1)
    assert reason in done.stderr
    assert bodies(aws, pair.dead) == ["a"]


def test_an_edit_that_cannot_be_sent_at_first(aws: Aws, pair: Pair, tmp_path: Path, path: FaultyPath) -> None:
    """The person can try again, and loses no work."""
    fill(aws, pair.dead, "a", "b")
    editor = Editor(tmp_path, "text = text.replace('\"a\"', '\"c\"').replace('\"b\"', '\"d\"')")
    denied = Fault(status=403, code="AccessDenied")
    path.plan = lambda action, _: denied if action == "SendMessageBatch" and path.count(action) == 1 else None
    done = typed(
        aws, "y\n", "redrive.py", "--queue-url", pair.url, "--edit", env={**path.variables(), **editor.variables}
    )
    assert "2 were not sent. Try again? [Y/n]" in done.stderr
    assert (done.returncode, done.stdout) == (0, "0 sent as edited\n2 sent as edited\n")
    assert sorted(bodies(aws, pair.url)) == ["c", "d"]
    assert not editor.files()[0][0].exists()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_the_file_is_removed_when_the_process_is_ended(aws: Aws, pair: Pair, tmp_path: Path, signum: int) -> None:
    fill(aws, pair.dead, "a")
    editor = Editor(tmp_path, "time.sleep(30)")
    process = subprocess.Popen(
        [sys.executable, "scripts/redrive.py", "--queue-url", pair.url, "--edit"],
        cwd=ROOT,
        env={**aws.instance.environment(), **editor.variables},
        stdin=subprocess.DEVNULL,
    )
    while not (editor.started and editor.files()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signum)
    assert process.wait(30) == 128 + signum
    assert not editor.files()[0][0].parent.exists()
    assert all_bodies(aws, pair.dead) == ["a"]

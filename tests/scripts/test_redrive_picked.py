"""redrive.py with messages that were picked: --match, --where, --dump and --delete."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.faults import Fault, FaultyPath
from tests.queues import bodies, fill
from tests.scripts.in_process import run_against
from tests.scripts.pairs import Pair, all_bodies, count, make_pair
from tests.scripts.sending import unmeasured
from tests.scripts.terminals import typed

ORDERS = [json.dumps({"status": "new" if number % 4 == 0 else "old", "n": number}) for number in range(24)]


def test_picked_messages_are_shown_and_moved(aws: Aws, pair: Pair) -> None:
    fill(aws, pair.dead, *ORDERS, "no JSON")
    url = ["--queue-url", pair.url]
    shown = run_against(aws, "redrive.py", *url, "--where", "status=new", "--first=3", "--json").stdout
    assert len(shown.splitlines()) == 3
    everything = run_against(aws, "redrive.py", *url, "--where", "status=new")
    assert everything.stderr == f"6 shown, picked from 25, of about 25 in {pair.dead.rpartition('/')[2]}\n"
    assert count(aws, pair.dead) == 25, "they are visible again at once"
    moved = run_against(aws, "redrive.py", *url, "--where", "status=new", "--match", r'"n": 1?\d}', "--move", "--yes")
    assert moved.stdout == "5 moved\n"
    assert sorted(bodies(aws, pair.url)) == sorted(ORDERS[0:17:4])
    assert count(aws, pair.dead) == 20, "the others are visible again at once"


@pytest.mark.parametrize("action", ["--move", "--delete"])
def test_nothing_was_picked(aws: Aws, pair: Pair, action: str) -> None:
    fill(aws, pair.dead, "a", "b")
    done = typed(aws, "delete\n", "redrive.py", "--queue-url", pair.url, action, "--match", "c")
    assert done.returncode == 0
    assert done.stderr == f"there is nothing to {action[2:]}: none of 2 messages was picked\n"


def test_messages_that_another_consumer_has_are_reported(aws: Aws, pair: Pair, tmp_path: Path) -> None:
    fill(aws, pair.dead, "a1", "a2", "a3")
    aws.client("sqs").receive_message(QueueUrl=pair.dead, VisibilityTimeout=60)
    for action in (["--delete", "--yes"], ["--dump", str(tmp_path / "dump")]):
        done = run_against(aws, "redrive.py", "--queue-url", pair.url, "--match", "^b", *action, check=False)
        assert done.returncode == 1
    for action in ([], ["--dump", str(tmp_path / "dump")], ["--delete", "--yes"]):
        done = run_against(aws, "redrive.py", "--queue-url", pair.url, "--match", "^a", *action, check=False)
        assert done.returncode == 1
        assert "1 of about 3 were not looked at" in done.stderr
    assert all_bodies(aws, pair.dead) == ["a1"]


def test_deleting_needs_the_typed_word(aws: Aws, pair: Pair) -> None:
    fill(aws, pair.dead, "keep", "junk 1", "junk 2")
    command = ["redrive.py", "--queue-url", pair.url, "--delete", "--match", "junk"]
    for answer in ("\n", "y\n", "yes\n", "\x04"):
        refused = typed(aws, answer, *command)
        assert refused.returncode == 1
        assert refused.stderr.endswith("redrive.py: nothing was deleted\n")
    assert count(aws, pair.dead) == 3
    done = typed(aws, "delete\n", *command)
    assert done.returncode == 0
    assert f"Delete 2 messages of {pair.dead.rpartition('/')[2]} for good? Type delete: " in done.stderr
    assert done.stdout.endswith("2 deleted\n")
    assert all_bodies(aws, pair.dead) == ["keep"]
    assert run_against(aws, "redrive.py", "--queue-url", pair.url, "--delete", "--yes").stdout.endswith("1 deleted\n")
    assert all_bodies(aws, pair.dead) == []


def received(aws: Aws, url: str) -> dict[str, Any]:
    found = aws.client("sqs").receive_message(
        QueueUrl=url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"], MaxNumberOfMessages=10
    )["Messages"]
    names = ("MessageGroupId", "MessageDeduplicationId")
    return {
        each["Body"]: (
            each.get("MessageAttributes"),
            [each["Attributes"].get(name) for name in names],
        )
        for each in found
    }


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_a_dump_is_sent_again_as_it_was(aws: Aws, tmp_path: Path, suffix: str) -> None:
    sqs = aws.client("sqs")
    pair = make_pair(aws, suffix, **({"FifoQueue": "true"} if suffix else {}))
    attributes = {
        "Author": {"DataType": "String", "StringValue": "Änne"},
        "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
        "image": {"DataType": "Binary.png", "BinaryValue": b"\x89PNG"},
        "whole": {"DataType": "Number", "StringValue": "12345678901234567890"},
        "exact": {"DataType": "Number", "StringValue": "1.50"},
        "price": {"DataType": "Number.EUR", "StringValue": "-1e3"},
        "named": {"DataType": "String.lines", "StringValue": 'a\r\n\t"\\\u2028\U0001f680'},
    }
    texts = ["plain", " \t\r\n", '{"body": "\\n"}', "\u2028\x85\ufffd\U0010ffff", "x" * 1_000_000]
    for number, text in enumerate(texts):
        options: dict[str, Any] = {"MessageGroupId": f"group-{number % 2}"} if suffix or number else {}
        if suffix:
            options["MessageDeduplicationId"] = f"id-{number}"
        if text != "plain" and len(text) < 1_000_000:
            options["MessageAttributes"] = attributes
        sqs.send_message(QueueUrl=pair.dead, MessageBody=text, **options)
    file = tmp_path / "letters.jsonl"
    done = run_against(aws, "redrive.py", "--queue-url", pair.url, "--dump", str(file))
    assert done.stdout == f"5 dumped to {file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    sent = aws.script("send.py", "--queue-url", pair.url, "--file", str(file), "--json-lines")
    assert sent.stdout == "5 sent, 0 failed\n"
    original = received(aws, pair.dead)
    assert len(original) == 5
    assert received(aws, pair.url) == original
    again = run_against(aws, "redrive.py", "--queue-url", pair.url, "--dump", str(file), check=False)
    assert again.returncode == 2
    assert "exists: move it away, or choose another name" in again.stderr
    for url in (pair.url, pair.dead):
        sqs.delete_queue(QueueUrl=url)


def test_an_empty_dump_leaves_no_file(aws: Aws, pair: Pair, tmp_path: Path) -> None:
    done = run_against(aws, "redrive.py", "--queue-url", pair.url, "--dump", str(tmp_path / "dump"), check=False)
    assert (done.returncode, done.stderr) == (
        0,
        "there is nothing to dump: the dead-letter queue is empty\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_dump_on_a_full_disk(aws: Aws, pair: Pair, tmp_path: Path) -> None:
    fill(aws, pair.dead, "x" * 5_000, "y" * 5_000)
    limited = f"ulimit -f 4; exec {sys.executable} scripts/redrive.py --queue-url {pair.url} --dump {tmp_path}/dump"
    done = subprocess.run(
        ["bash", "-c", f"trap '' XFSZ; {limited}"],
        cwd=ROOT,
        env=unmeasured(aws.instance.environment()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr == f"redrive.py: --dump '{tmp_path}/dump' cannot be written: File too large. Choose another file\n"
    )
    assert list(tmp_path.iterdir()) == []
    assert count(aws, pair.dead) == 2


def test_an_interrupted_dump(aws: Aws, pair: Pair, tmp_path: Path, path: FaultyPath) -> None:
    """It leaves no file, and the messages are visible."""
    fill(aws, pair.dead, *[str(number) for number in range(25)])
    path.plan = lambda action, _: Fault(stall=0.3 if action == "ReceiveMessage" else 0)
    command = [sys.executable, "scripts/redrive.py", "--queue-url", pair.url, "--dump", str(tmp_path / "dump")]
    environment = {**aws.instance.environment(), **path.variables()}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as dumping:
        while path.count("ReceiveMessage") < 2:
            assert dumping.poll() is None
            os.sched_yield()
        dumping.send_signal(signal.SIGINT)
        _, printed = dumping.communicate(timeout=30)
    assert (dumping.returncode, printed) == (130, "redrive.py: interrupted\n")
    assert not [each for each in tmp_path.iterdir() if each.name.startswith("dump")]
    assert count(aws, pair.dead) >= 15, "but for those of the receive that was cut off"

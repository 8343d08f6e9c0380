"""redrive.py: showing the messages of the dead-letter queue, selecting and confirming."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.queues import bodies, fill
from tests.scripts.pairs import Pair, count


def process(aws: Aws, pair: Pair, handler: str, ledger: Path) -> None:
    env = {"PYTHONPATH": str(ROOT / "tests/sqs"), "LEDGER": str(ledger)}
    aws.script("process.py", "--queue-url", pair.url, "--handler", f"handling:{handler}", "--empty-after=4", env=env)


def test_a_failing_message_is_redriven_and_processed_once(aws: Aws, pair: Pair, tmp_path: Path) -> None:
    fill(aws, pair.url, "good", "poison")
    env = {"PYTHONPATH": str(ROOT / "tests/sqs"), "LEDGER": str(tmp_path / "ledger")}
    options = ["--queue-url", pair.url, "--handler", "handling:poison", "--empty-after=4"]
    aws.script("process.py", *options, env=env, check=False)  # 1: a message failed
    status = aws.script("status.py", "--queue-url", pair.url, check=False)
    assert status.returncode == 1
    assert status.stdout.splitlines()[1].split()[-1] == "1"
    shown = json.loads(aws.script("redrive.py", "--queue-url", pair.url, "--json").stdout)
    assert shown["body"] == "poison"
    assert shown["receive_count"] == 4, "three attempts, and this look"
    again = aws.script("redrive.py", "--queue-url", pair.url)
    assert re.search(r"received +5 times  poison$", again.stdout, re.MULTILINE)
    assert "1 shown of about 1 in" in again.stderr
    assert aws.script(*pair.move).stdout.endswith("1 moved\n")
    process(aws, pair, "note", tmp_path / "mended")
    assert [line.split()[-1] for line in (tmp_path / "mended").read_text().splitlines()] == ["poison"]
    healthy = aws.script("status.py", "--queue-url", pair.url)
    assert healthy.stdout.splitlines()[1].split()[-1] == "0"


def test_a_queue_without_a_dead_letter_queue(aws: Aws, queue: str) -> None:
    done = aws.script("redrive.py", "--queue-url", queue, check=False)
    assert done.returncode == 1
    assert "has no dead-letter queue" in done.stderr


def test_without_move_nothing_changes(aws: Aws, pair: Pair) -> None:
    texts = sorted(f"{number:02}" for number in range(35))
    fill(aws, pair.dead, *texts)
    shown = aws.script("redrive.py", "--queue-url", pair.url)
    assert len(shown.stdout.splitlines()) == 20
    assert "20 shown of about 35" in shown.stderr
    assert sorted(bodies(aws, pair.dead)) == texts


def test_selected_messages_move_with_all_attributes(aws: Aws, pair: Pair) -> None:
    sqs = aws.client("sqs")
    attributes = {
        "Author": {"DataType": "String", "StringValue": "Änne"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        "n": {"DataType": "Number", "StringValue": "5"},
    }
    fill(aws, pair.dead, *[str(number) for number in range(15)])
    sent = sqs.send_message(QueueUrl=pair.dead, MessageBody="ü🚀", MessageAttributes=attributes)["MessageId"]
    absent = "00000000-0000-0000-0000-000000000000"
    done = aws.script(*pair.move, "--id", sent, "--id", absent, "--id", "00000000", check=False)
    assert done.returncode == 1
    assert done.stdout.endswith("1 moved\n")
    first, second = [line for line in done.stderr.splitlines() if "was not found in the dead-letter queue" in line]
    assert first.startswith("message 00000000 ")
    assert first.endswith("has received it. Its id looks cut off: give the whole id")
    assert second.startswith(f"message {absent} ")
    assert second.endswith("has received it")
    (moved,) = sqs.receive_message(QueueUrl=pair.url, MessageAttributeNames=["All"])["Messages"]
    assert moved["Body"] == "ü🚀"
    assert moved["MessageAttributes"] == attributes
    assert len(bodies(aws, pair.dead)) == 15


def test_nothing_moves_without_confirmation(aws: Aws, pair: Pair) -> None:
    fill(aws, pair.dead, "a")
    command = pair.move[:-1]
    unattended = aws.script(*command, check=False)
    assert unattended.returncode == 2
    assert "add --yes" in unattended.stderr
    for answer, moved in (("n\n", False), ("\n", False), ("y\n", True)):
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "scripts/redrive.py", *command[1:]],
            cwd=ROOT,
            env=aws.instance.environment(),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.write(controller, answer.encode())
        _, printed = process.communicate(timeout=60)
        assert "Move all messages to" in printed
        assert process.returncode == (0 if moved else 1)
        os.close(controller)
        os.close(terminal)
        assert bool(count(aws, pair.dead)) is not moved


def test_an_empty_dead_letter_queue(aws: Aws, pair: Pair) -> None:
    for arguments, nothing in ((pair.move, "there is nothing to move: "), (pair.move[:3], "")):
        done = aws.script(*arguments)
        assert (done.stdout, done.stderr) == ("", f"{nothing}the dead-letter queue is empty\n")


def test_the_operators_policy_is_enough(aws: Aws, deployed_queue: str) -> None:
    """Policy test-operator of the deployment, attached to a new user."""
    iam = aws.client("iam")
    name = f"operator-{time.time_ns()}"
    policies = {each["PolicyName"]: each["Arn"] for each in iam.list_policies(Scope="Local")["Policies"]}
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    env = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    iam.attach_user_policy(UserName=name, PolicyArn=policies["test-queue-user"])
    denied = aws.script("redrive.py", check=False, env=env)
    iam.detach_user_policy(UserName=name, PolicyArn=policies["test-queue-user"])
    assert (denied.returncode, denied.stdout, denied.stderr.count("\n")) == (1, "", 1)
    assert denied.stderr == (
        f"redrive.py: cannot read test-dlq: arn:aws:iam::111122223333:user/{name} may not call GetQueueUrl. "
        "The policy test-operator allows it\n"
    )
    iam.attach_user_policy(UserName=name, PolicyArn=policies["test-operator"])
    sqs = aws.client("sqs")
    dead = sqs.get_queue_url(QueueName="test-dlq")["QueueUrl"]
    fill(aws, dead, "a", "b", "c")
    one = sqs.send_message(QueueUrl=dead, MessageBody="d")["MessageId"]
    assert aws.script("redrive.py", "--move", "--yes", "--id", one, env=env).stdout.endswith("1 moved\n")
    assert aws.script("redrive.py", "--move", "--yes", env=env).stdout.endswith("3 moved\n")
    sqs.purge_queue(QueueUrl=deployed_queue)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.detach_user_policy(UserName=name, PolicyArn=policies["test-operator"])
    iam.delete_user(UserName=name)


def test_what_a_message_contains_cannot_drive_the_terminal(aws: Aws, pair: Pair) -> None:
    forged = "Ada)\n00000000-0000-0000-0000-000000000000  forged"
    author = {"Author": {"DataType": "String", "StringValue": forged}}
    body = "a\nb\x85\u202e\u200b" + "x" * 100
    message = {"MessageBody": body, "MessageAttributes": author, "MessageGroupId": "customer-7"}
    aws.client("sqs").send_message(QueueUrl=pair.dead, **message)
    shown = aws.script("redrive.py", "--queue-url", pair.url).stdout
    assert shown.count("\n") == 1
    assert shown.removesuffix("\n").isprintable()
    assert "a\\nb\\x85\\u202e\\u200b" in shown
    assert "(author: Ada)\\n0000" in shown
    assert shown.endswith("forged, group: customer-7)\n")
    assert "…" in shown

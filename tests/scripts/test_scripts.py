"""send.py and process.py as processes against the deployed queue, and their messages if something is wrong."""

from __future__ import annotations

import subprocess
import time

import pytest

from hello_queue.sqs.messages import MAX_MESSAGE_BYTES
from tests.conftest import Aws


def bodies(aws: Aws, url: str) -> list[str]:
    received = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [message["Body"] for message in received.get("Messages", [])]


def one_line(done: subprocess.CompletedProcess[str], status: int) -> str:
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


def test_the_tutorial(aws: Aws, deployed_queue: str) -> None:
    """Send, then process: "Hello World" comes out, after the delay, and is gone."""
    sent_at = time.monotonic()
    assert aws.script("send.py").stdout.startswith("Sent message ")
    processed = aws.script("process.py", "--count", "1")
    assert processed.stdout == "Hello World\n"
    assert processed.stderr == "1 processed\n"
    assert time.monotonic() - sent_at >= 5
    assert aws.script("process.py", "--empty-after", "1").stdout == ""


@pytest.mark.parametrize("author", [None, "Ada", "Änne 🚀", "a" * 1000])
@pytest.mark.parametrize("body", ["Hello World", "two\nlines", "ünï 漢字 🚀", " ", "x" * 20_000])
def test_what_is_sent_is_what_is_processed(aws: Aws, queue: str, body: str, author: str | None) -> None:
    aws.script("send.py", body, "--queue-url", queue, *(["--author", author] if author else []))
    done = aws.script("process.py", "--queue-url", queue, "--count", "1")
    assert done.stdout == (f"{body} (author: {author})\n" if author else f"{body}\n")


def test_a_body_that_looks_like_an_option(aws: Aws, queue: str) -> None:
    aws.script("send.py", "--queue-url", queue, "--", "--help")
    assert bodies(aws, queue) == ["--help"]


def test_the_queue_by_name_by_url_and_by_deployment(aws: Aws, deployed_queue: str) -> None:
    for choice in (["--queue", "test"], ["--queue-url", deployed_queue], ["--deployment", ""]):
        aws.script("send.py", "by any way", *choice)
    assert aws.script("process.py", "--deployment=", "--count", "3").stdout == "by any way\n" * 3


def test_count_takes_no_more_than_that(aws: Aws, queue: str) -> None:
    sqs = aws.client("sqs")
    for number in range(12):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    assert len(aws.script("process.py", "--queue-url", queue, "--count", "11").stdout.splitlines()) == 11
    assert len(bodies(aws, queue)) == 1


def test_a_message_that_could_not_be_printed_stays(aws: Aws, queue: str) -> None:
    """Whoever reads our output goes away: what was not printed is not deleted."""
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="precious")
    done = aws.run("sh", "-c", f"python scripts/process.py --queue-url {queue} --count 1 >&-", check=False)
    assert done.returncode != 0
    assert bodies(aws, queue) == ["precious"]


def test_a_full_disk_is_no_traceback(aws: Aws, queue: str) -> None:
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="precious")
    done = aws.run("sh", "-c", f"python scripts/process.py --queue-url {queue} --count 1 > /dev/full", check=False)
    assert done.returncode == 1
    said = "0 processed, 1 given back\nprocess.py: the output cannot be written: No space left on device\n"
    assert done.stderr == said
    assert bodies(aws, queue) == ["precious"]


def test_a_closed_pipe_is_no_traceback(aws: Aws, queue: str) -> None:
    sqs = aws.client("sqs")
    for _ in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody="x" * 100_000)
    done = aws.run("sh", "-c", f"python scripts/process.py --queue-url {queue} --count 3 | head -c 1", check=False)
    assert "Traceback" not in done.stderr
    assert "given back" in done.stderr
    assert bodies(aws, queue)


def test_a_narrow_terminal_encoding_does_not_make_a_poison_message(aws: Aws, queue: str) -> None:
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="漢")
    done = aws.script("process.py", "--queue-url", queue, "--count", "1", env={"PYTHONIOENCODING": "ascii"})
    assert done.stdout == "\\u6f22\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "the message is empty"),
        (["--author", ""], "the author is empty"),
        (["a\x1bb"], "'\\x1b' at position 1"),
        (["--author", "\x07"], "'\\x07' at position 0"),
        (["--queue", ""], "--queue '' is empty"),
        (["--queue-url", "test"], "--queue-url 'test' is no URL"),
    ],
)
def test_what_cannot_be_sent_is_said_in_one_line(aws: Aws, arguments: list[str], said: str) -> None:
    assert said in one_line(aws.script("send.py", *arguments, check=False), 2)


@pytest.mark.parametrize(
    "arguments",
    [f"--count={value}" for value in ("0", "-1", "x", "9999999999", "", "٥5")]
    + [f"--empty-after={value}" for value in ("-1", "86401", "1.5")],
)
def test_numbers_out_of_range(aws: Aws, arguments: str) -> None:
    done = aws.script("process.py", arguments, check=False)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert f"{arguments.partition('=')[2]!r} is not a whole number from" in last


@pytest.mark.parametrize("script", ["send.py", "process.py"])
@pytest.mark.parametrize(
    ("variables", "arguments", "said"),
    [
        ({"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}, [], "AWS_PROFILE"),
        ({"AWS_DEFAULT_REGION": None}, [], "AWS_DEFAULT_REGION"),
        ({"AWS_PROFILE": "nobody"}, [], "aws configure list-profiles"),
        ({"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "wrong"}, [], "AWS_SECRET_ACCESS_KEY"),
        (
            {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"},
            [],
            "AWS does not know this access key",
        ),
        ({"AWS_ENDPOINT_URL": "https://127.0.0.1:9"}, [], "Check the network"),
        ({"AWS_ENDPOINT_URL": None}, [], "Check the network"),
        ({"AWS_CA_BUNDLE": None}, [], "AWS_CA_BUNDLE"),
        ({}, ["--queue", "nope"], "there is no queue 'nope' in us-east-1"),
        ({}, ["--queue-url", "https://127.0.0.1/111122223333/nope"], "Check the queue's name"),
        ({}, ["--deployment", "nope"], "there is no stack nope-HelloQueueMessaging"),
    ],
)
def test_what_is_wrong_around_them_is_said_in_one_line(
    aws: Aws, script: str, variables: dict[str, str | None], arguments: list[str], said: str
) -> None:
    message = one_line(aws.script(script, *arguments, check=False, env=variables), 1)
    assert message.startswith(f"{script}: ")
    assert said in message


def test_denied(aws: Aws) -> None:
    """A user without rights is told which right is missing."""
    iam = aws.client("iam")
    iam.create_user(UserName="nobody")
    created = iam.create_access_key(UserName="nobody")["AccessKey"]
    key = {"AWS_ACCESS_KEY_ID": created["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": created["SecretAccessKey"]}
    for script in ("send.py", "process.py", "smoke_test.py"):
        assert "AccessDenied" in one_line(aws.script(script, check=False, env=key), 1)
    iam.delete_access_key(UserName="nobody", AccessKeyId=created["AccessKeyId"])
    iam.delete_user(UserName="nobody")


@pytest.mark.parametrize("script", ["send.py", "process.py", "smoke_test.py", "local_aws.py"])
def test_help_teaches(aws: Aws, script: str) -> None:
    shown = aws.script(script, "--help").stdout
    assert f"python scripts/{script}" in shown
    assert "examples:" in shown


def test_the_largest_message() -> None:
    from hello_queue.errors import UsageError
    from hello_queue.sqs.messages import message

    assert message("x" * MAX_MESSAGE_BYTES)
    assert message("x" * (MAX_MESSAGE_BYTES - len("AuthorStringAda")), "Ada")
    for body, author in (("x" * (MAX_MESSAGE_BYTES + 1), None), ("é" * (MAX_MESSAGE_BYTES // 2 + 1), None)):
        with pytest.raises(UsageError, match="1,048,576"):
            message(body, author)
    with pytest.raises(UsageError, match="1,048,577"):
        message("x" * (MAX_MESSAGE_BYTES - len("AuthorStringAda") + 1), "Ada")

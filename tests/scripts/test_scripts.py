"""send.py and process.py as processes against the deployed queue, and their messages if something is wrong."""

from __future__ import annotations

import time

import pytest

from tests.conftest import Aws
from tests.local_aws.environments import inside
from tests.queues import bodies
from tests.scripts.in_process import run, set_environment


def test_the_tutorial(aws: Aws, deployed_queue: str) -> None:
    """Send, then process: "Hello World" arrives after the delay, and is deleted."""
    sent_at = time.monotonic()
    assert aws.script("send.py").stdout.startswith("Sent message ")
    processed = aws.script("process.py", "--count", "1")
    assert processed.stdout == "Hello World\n"
    assert processed.stderr == "1 processed\n"
    assert time.monotonic() - sent_at >= 5
    assert aws.script("process.py", "--empty-after", "1").stdout == ""


@pytest.mark.parametrize(
    ("body", "author"),
    [("Hello World", None), ("two\nlines", "Ada"), ("ünï 漢字 🚀", "Änne 🚀"), (" ", "a" * 1000), ("x" * 20_000, None)],
)
def test_what_is_sent_is_what_is_processed(aws: Aws, queue: str, body: str, author: str | None) -> None:
    aws.script("send.py", body, "--queue-url", queue, *(["--author", author] if author else []))
    done = aws.script("process.py", "--queue-url", queue, "--count", "1")
    assert done.stdout == (f"{body} (author: {author})\n" if author else f"{body}\n")


def test_a_body_may_look_like_an_option(aws: Aws, queue: str) -> None:
    aws.script("send.py", "--queue-url", queue, "--", "--help")
    assert bodies(aws, queue) == ["--help"]


def test_a_text_that_names_a_file_is_sent_as_it_is_with_a_hint(aws: Aws, queue: str) -> None:
    assert aws.script("send.py", "--queue-url", queue, "Makefile").stderr == (
        "this text was sent, and not the lines of the file: that does --file 'Makefile'\n"
    )
    assert bodies(aws, queue) == ["Makefile"]


def test_a_queue_is_chosen_by_name_url_or_deployment(aws: Aws, deployed_queue: str) -> None:
    for choice in (["--queue", "test"], ["--queue-url", deployed_queue], ["--deployment", ""]):
        aws.script("send.py", "by any way", *choice)
    assert aws.script("process.py", "--deployment=", "--count", "3").stdout == "by any way\n" * 3


@pytest.mark.parametrize("script", ["send.py", "process.py"])
@pytest.mark.parametrize(
    ("variables", "arguments", "advice"),
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
        ({"AWS_ENDPOINT_URL": "nonsense"}, [], "Invalid endpoint: nonsense. Check AWS_ENDPOINT_URL"),
        ({"AWS_CA_BUNDLE": None}, [], "AWS_CA_BUNDLE"),
        ({}, ["--queue", "nope"], "there is no queue 'nope' in us-east-1"),
        ({}, ["--queue-url", "https://127.0.0.1/111122223333/nope"], "Check the queue's name"),
        ({}, ["--deployment", "nope"], "there is no stack nope-HelloQueueMessaging"),
    ],
)
def test_wrong_credentials_or_configuration_is_one_line(
    aws: Aws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
    variables: dict[str, str | None],
    arguments: list[str],
    advice: str,
) -> None:
    inside(aws, monkeypatch)
    # No call leaves this machine, whatever the endpoint.
    set_environment(monkeypatch, {name: aws.instance.variables[name] for name in ("HTTPS_PROXY", "NO_PROXY")})
    set_environment(monkeypatch, variables)
    status = run(script, *arguments)
    shown = capsys.readouterr()
    assert (status, shown.out, shown.err.count("\n")) == (1, "", 1)
    assert shown.err.startswith(f"{script}: ")
    assert advice in shown.err

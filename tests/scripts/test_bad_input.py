"""What was tried to break the scripts, by script and option: each ends with its exit status and one clear line."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from hello_queue.cli.terminal import printable
from hello_queue.sqs.messages import MAX_MESSAGE_BYTES
from tests.scripts.in_process import run, set_environment
from tests.scripts.offline import OFFLINE, shell

NUMBER = "{!r} is not a whole number from {}"
EVIL, ESCAPED = "a\x1b[31m\nforged\u202e", r"a\x1b[31m\nforged\u202e"
"""What an argument can contain, and how an error shows it."""


def out_of_range(option: str, minimum: int, maximum: int) -> Iterator[tuple[list[str], str]]:
    too_large = (str(maximum + 1), str(sys.maxsize + 1), "9" * 5000)
    for value in (str(minimum - 1), *too_large, "-1", "", "x", "1.5", "1e3", "1_0", " 1", "٥", "NaN"):
        yield [f"{option}={value}"], NUMBER.format(value[:60], f"{minimum:,} to {maximum:,}")


DEPLOYMENTS = [
    (["--deployment", "a b"], "'a b' is not the name of a deployment"),
    (["--deployment", "1a"], "'1a' is not the name of a deployment"),
    (["--deployment", "ü"], "'ü' is not the name of a deployment"),
    (["--deployment", "x" * 21], "is not the name of a deployment: up to 20"),
    (["--deployment=-x"], "'-x' is not the name of a deployment"),
]

QUEUE_OPTIONS = [
    (["--queue", ""], "'' is not the name of a queue"),
    (["--queue", "a b"], "'a b' is not the name of a queue"),
    (["--queue", "ü"], "'ü' is not the name of a queue"),
    (["--queue", "a.b"], "'a.b' is not the name of a queue"),
    (["--queue", "x" * 81], "is not the name of a queue: 1 to 80"),
    (["--queue", "x" * 76 + ".fifo"], "is not the name of a queue: 1 to 80"),
    (["--queue", "a\nb"], r"'a\nb' is not the name of a queue"),
    (["--queue-url", ""], "'' is not a URL"),
    (["--queue-url", "test"], "'test' is not a URL: it must begin with https://"),
    (["--queue-url", "https://"], "'https://' is not a URL"),
    (["--queue-url", "https://ü"], "'https://ü' is not a URL"),
    *DEPLOYMENTS,
    (["--queue=--"], "argument --queue: '--' is not a value"),
    (["--queue", "a", "--queue-url", "https://x/q"], "not allowed with argument --queue"),
    (["--queue", "a", "--deployment", "b"], "not allowed with argument --queue"),
    (["--no-such-option"], "--no-such-option"),
]

LOAD_OPTIONS = [
    *out_of_range("--concurrency", 1, 1_000),
    *out_of_range("--retry-timeout", 0, 86_400),
    *out_of_range("--stats", 0, 86_400),
]

INVALID_ARGUMENTS = {
    "send.py": [
        ([""], "the message is empty"),
        (["x" * (MAX_MESSAGE_BYTES + 1)], "the message has 1,048,577 bytes"),
        (["a\x1bb"], r"the message has the character '\x1b' at position 1"),
        (["a\ud800b"], r"the message has the character '\ud800' at position 1"),
        (["--author", ""], "the author is empty"),
        (["--author", "\x07"], r"the author has the character '\x07' at position 0"),
        (["--group", ""], "the group '' is invalid"),
        (["--group", "a b"], "the group 'a b' is invalid"),
        (["--group", "ü"], "the group 'ü' is invalid"),
        (["--group", "x" * 129], "it must be 1 to 128"),
        (["a", "b"], "unrecognized arguments: b"),
        (["a", EVIL], f"unrecognized arguments: {ESCAPED}"),
        (["--count", EVIL], ESCAPED),
        (["", "--count", "2"], "the message is empty"),
        (["--count", "2", "--file", "x"], "not allowed with argument --count"),
        (["text", "--file", "x"], "the message and --file exclude each other"),
        (["--file", ""], "--file '' is empty"),
        (["--file", "x", "--author", ""], "the author is empty"),
        (["--file", "x", "--group", "a b"], "the group 'a b' is invalid"),
        (["--count", "2", "--skip", "3"], "--skip 3 is more than --count 2: nothing would be sent"),
        (["--skip", "5"], "--skip 5 needs --file or --count"),
        (["--json-lines"], "--json-lines needs --file"),
        (["--skip-blank"], "--skip-blank needs --file"),
        (["--failed", "x"], "--failed needs --file"),
        (["--failed", "", "--count", "1"], "--failed needs --file"),
        (["--count", "1", "--count", "0"], "'0' is not a whole number"),
        *out_of_range("--count", 1, 1_000_000_000),
        *out_of_range("--skip", 0, 1_000_000_000),
        *out_of_range("--delay", 0, 900),
        *QUEUE_OPTIONS,
        *LOAD_OPTIONS,
    ],
    "process.py": [
        (["message"], "unrecognized arguments: message"),
        ([EVIL], f"unrecognized arguments: {ESCAPED}"),
        (["--count", "1", "--forever"], "not allowed with argument --count"),
        (["--count", "1", "--processes", "2"], "--count needs --processes 1"),
        (["--failures", ""], "--failures '' is not the name of a file"),
        (["--failures", "-"], "--failures '-' is not the name of a file"),
        (["--failures", "/"], "--failures '/'"),
        (["--failures", "/no/such/file"], "--failures '/no/such/file' cannot be written: No such file"),
        *out_of_range("--count", 1, 1_000_000_000),
        (["--forever", "--empty-after", "0"], "--empty-after 0 and --forever exclude each other"),
        *out_of_range("--empty-after", 0, 86_400),
        *out_of_range("--max-handling-time", 1, 43_200),
        *out_of_range("--grace", 0, 86_400),
        *out_of_range("--processes", 1, 64),
        *QUEUE_OPTIONS,
        *LOAD_OPTIONS,
    ],
    "status.py": [
        (["--queue-url", EVIL], ESCAPED),
        *out_of_range("--watch", 1, 86_400),
        *out_of_range("--samples", 1, 1_000_000_000),
        *out_of_range("--groups", 1, 1_000),
        (["--groups", "5", "--watch", "5"], "--groups 5 and --watch exclude each other"),
        (["--samples", "3"], "--samples 3 has no effect without --watch: add --watch SECONDS"),
        *QUEUE_OPTIONS,
    ],
    "redrive.py": [
        (["--deployment", EVIL], ESCAPED),
        (["--yes"], "--yes needs --move or --delete"),
        (["--dump", "x", "--yes"], "--yes needs --move or --delete"),
        (["--id", ""], "--id: '' is not the id of a message"),
        (["--id", "ü"], "--id: 'ü' is not the id of a message"),
        (["--id", "x" * 101], "is not the id of a message: 1 to 100 ASCII characters"),
        (["--move", "--yes", "--first", "5"], "--first 5 limits what is shown or edited, and nothing else"),
        (["--delete", "--yes", "--first", "5"], "pick messages with --id, --match or --where"),
        (["--dump", "x", "--first", "20"], "--first 20 limits what is shown or edited"),
        (["--move"], "standard input is not a terminal: for --move without confirmation, add --yes"),
        (["--delete"], "standard input is not a terminal: for --delete without confirmation, add --yes"),
        (["--move", "--delete", "--yes"], "not allowed with argument --move"),
        (["--edit", "--dump", "x"], "not allowed with argument --edit"),
        (["--match", ""], "--match: '' is empty"),
        (["--delete", "--yes", "--match=--"], "argument --match: '--' is not a value"),
        (["--match", "("], "'(' is not a regular expression: missing ), unterminated subpattern at position 0"),
        (["--match", "x{9999999999}"], "'x{9999999999}' is not a regular expression"),
        (["--match", "(" * 5000 + ")" * 5000], "is not a regular expression"),
        (["--match", "\x1b[1m("], r"'\x1b[1m(' is not a regular expression"),
        (["--where", ""], "'' is not of the form FIELD=VALUE"),
        (["--where", "a"], "'a' is not of the form FIELD=VALUE"),
        (["--where", "=a"], "'=a' is not of the form FIELD=VALUE"),
        (["--where", "a=1", "--where", "a=2"], "--where a=... is given twice"),
        (["--dump", ""], "--dump '' is not the name of a file"),
        (["--dump", "-"], "--dump '-' is not the name of a file"),
        (["--dump", "/"], "--dump '/' exists"),
        (["--dump", "README.md"], "--dump 'README.md' exists: move it away, or choose another name"),
        (["--dump", "/no/such/file"], "--dump '/no/such/file' cannot be written: there is no folder '/no/such'"),
        (["--dump", "x" * 5000], "cannot be written: File name too long"),
        (["--dump", "x", "--json"], "--json has no effect with --edit, --edited and --dump"),
        (["--edit", "--failures", "README.md"], "--failures has no effect with --edit, --edited and --dump"),
        (["--edited", ""], "--edited '' cannot be read: Is a directory. Nothing was sent"),
        (["--edited", "/no/such"], "--edited '/no/such' cannot be read: No such file"),
        (["--edited", "/dev/null"], "--edited '/dev/null' has no messages"),
        (["--edited", "README.md"], "of --edited 'README.md': invalid JSON"),
        (["--edited", sys.executable], f"line 1 of --edited '{sys.executable}': invalid UTF-8"),
        (["--edited", "x", "--edit"], "argument --edit: not allowed with argument --edited"),
        (["--edited", "x", "--first", "5"], "--first 5 limits what is shown or edited"),
        (["--edited", "x", "--match", "a"], "--edited moves the messages in its file: leave out --id, --match"),
        (["--failures", ""], "--failures '' is empty"),
        (["--failures", "/"], "--failures '/' cannot be read: Is a directory"),
        (["--failures", "/no/such"], "--failures '/no/such' cannot be read: No such file"),
        *out_of_range("--first", 1, 10_000),
        *QUEUE_OPTIONS,
    ],
    "smoke_test.py": [
        (["x"], "unrecognized arguments: x"),
        ([EVIL], ESCAPED),
        *DEPLOYMENTS,
        *out_of_range("--longest-delay", 0, 900),
        *out_of_range("--timeout", 1, 600),
        *out_of_range("--wait", 0, 3_600),
    ],
    "credentials.py": [
        ([], "the following arguments are required: COMMAND"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["profile"], "the following arguments are required: NAME"),
        (["profile", EVIL], ESCAPED),
        (["profile", "x", EVIL], ESCAPED),
        (["profile", ""], "'' is not a valid profile name"),
        (["profile", "a b"], "'a b' is not a valid profile name"),
        (["profile", "ü"], "'ü' is not a valid profile name"),
        (["profile", "a]b"], "'a]b' is not a valid profile name"),
        (["profile", "a\nb"], r"'a\nb' is not a valid profile name"),
        (["profile", "x" * 129], "1 to 128"),
        (["csv"], "the following arguments are required: FILE"),
        (["csv", ""], "''"),
        (["csv", "/"], "'/'"),
        (["csv", "x" * 5000], f"'{'x' * 60}' cannot be written: File name too long"),
        (["export", "--as=--"], "argument --as: '--' is not a value"),
        (["export", "x"], "unrecognized arguments: x"),
        *((["export", *arguments], reason) for arguments, reason in DEPLOYMENTS),
        (["export", "--secret", ""], "'' is not the name or ARN of a secret"),
        (["export", "--secret", "ü"], "'ü' is not the name or ARN of a secret"),
        (["export", "--secret", "x" * 2_049], "is not the name or ARN of a secret: 1 to 2,048"),
        (["export", "--region", ""], "'' is not an AWS region"),
        (["export", "--region", "us-east-1\n"], r"'us-east-1\n' is not an AWS region"),
        (["export", "--as", ""], "--as: '' is empty: give the name of a profile"),
    ],
    "review.py": [
        (["--fail-on", EVIL], ESCAPED),
        (["--fail-on", ""], "''"),
        (["--fail-on", "nonsense"], "'nonsense'"),
        (["--fail-on", "data-loss,"], "''"),
        (["x"], "unrecognized arguments: x"),
    ],
    "rehearse.py": [
        ([EVIL], ESCAPED),
        (["--markdown"], "expected one argument"),
    ],
    "local_aws.py": [
        *((["--region", name], f"{name!r} is not an AWS region") for name in ("", "mars", "us-east", "US-EAST-1")),
        ([f"--{EVIL}"], ESCAPED),
    ],
    "bench.py": [
        (["--rounds", EVIL], ESCAPED),
        *out_of_range("--rounds", 1, 99),
        (["--only", ""], "'' is in the name of no part"),
        (["--only", "send, 99 bytes"], "'send, 99 bytes' is in the name of no part, such as 'local AWS' or 'send, 100"),
        (["--only", "memory", "--only", "x" * 61], f"'{'x' * 60}' is in the name of no part"),
        (["--only", "memory", "--record", "x"], "--only and --record exclude each other"),
    ],
    "golden.py": [([EVIL], f"unrecognized arguments: {ESCAPED}")],
    "demo.py": [([EVIL], f"unrecognized arguments: {ESCAPED}")],
}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is wrong ends in a refused connection."""
    set_environment(monkeypatch, OFFLINE)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("script", INVALID_ARGUMENTS)
def test_invalid_arguments(script: str, capsys: pytest.CaptureFixture[str], subtests: pytest.Subtests) -> None:
    """In this process: it is about parsing, and there are hundreds."""
    for arguments, reason in INVALID_ARGUMENTS[script]:
        with subtests.test(arguments=[argument[:20] for argument in arguments]):
            status = run(script, *arguments)
            shown = capsys.readouterr()
            assert (status, shown.out) == (2, "")
            assert shown.err.startswith(script.removesuffix(".py"))
            assert reason in shown.err
            assert shown.err.count("\n") == 1
            assert printable(shown.err[:-1]) == shown.err[:-1]


def test_invalid_arguments_in_a_process() -> None:
    done = shell("python scripts/send.py --count 0")
    reason = "argument --count: '0' is not a whole number from 1 to 1,000,000,000 (--help lists the options)"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"send.py: {reason}\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--file", "/no/such"], "--file '/no/such' cannot be read: No such file"),
        (["--file", "/"], "--file '/' cannot be read: Is a directory"),
        (["--file", "x" * 5000], "cannot be read: File name too long"),
        (["--file", "/dev/null", "--failed", ""], "--failed '' is not the name of a file"),
        (["--file", "/dev/null", "--failed", "-"], "--failed '-' is not the name of a file"),
        (["--file", "/dev/null", "--failed", "/no/such/file"], "--failed '/no/such/file' cannot be written: No such"),
        (["--file", "/dev/null", "--failed", "/dev/full"], "--failed '/dev/full' exists"),
        (["--file", "/dev/null", "--failed", "/"], "--failed '/' exists"),
    ],
)
@pytest.mark.usefixtures("offline")
def test_files_of_send(capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str) -> None:
    status = run("send.py", "--queue-url", "http://127.0.0.1:9/1/q", *arguments)
    shown = capsys.readouterr()
    assert (status, shown.out, shown.err.count("\n")) == (2, "", 1)
    assert reason in shown.err

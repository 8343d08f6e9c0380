"""process.py and handlers: where they are imported from, which are refused, and what they can do to the process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.queues import bodies, fill
from tests.scripts.worker import TEXTS, Worker


def process(aws: Aws, folder: Path, queue: str, handler: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run process.py in a folder."""
    command = [sys.executable, str(ROOT / "scripts/process.py"), "--queue-url", queue, "--handler", handler, *arguments]
    return subprocess.run(
        command, cwd=folder, env=aws.instance.environment(), capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_handler_gets_the_modules_of_its_own_folder(aws: Aws, queue: str, tmp_path: Path, processes: str) -> None:
    """Even where they are named like scripts and modules of this project."""
    for name in ("common", "send", "consumer", "process"):
        (tmp_path / f"{name}.py").write_text(f"print_with = lambda text: print('{name}', text, flush=True)\n")
    (tmp_path / "orders.py").write_text(
        "import common, consumer, process, send\n"
        "def book(message):\n"
        "    for module in (common, consumer, process, send): module.print_with(message.body)\n"
    )
    fill(aws, queue, "a")
    done = process(aws, tmp_path, queue, "orders:book", f"--processes={processes}", "--empty-after=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "common a\nconsumer a\nprocess a\nsend a\n"


@pytest.mark.parametrize(
    ("processes", "source", "reason"),
    [
        ("1", "def f(message) return", "SyntaxError: "),
        ("2", "1 / 0", "ZeroDivisionError: division by zero ("),
        ("1", "import sys; sys.exit(5)", "SystemExit: 5 ("),
        ("2", "import sys; sys.exit(5)", "SystemExit: 5 ("),
        ("1", "import ba", "ModuleNotFoundError: No module named 'ba' ("),
    ],
)
def test_a_handler_that_cannot_be_loaded(
    aws: Aws, queue: str, tmp_path: Path, processes: str, source: str, reason: str
) -> None:
    (tmp_path / "bad.py").write_text(f"\n{source}\n")
    fill(aws, queue, "a")
    done = process(aws, tmp_path, queue, "bad:f", f"--processes={processes}", "--empty-after=1")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("process.py: --handler: the module 'bad' cannot be imported: ")
    assert reason in done.stderr
    assert "bad.py:2)" in done.stderr
    assert bodies(aws, queue) == ["a"]


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        ("shutil:copyfile", "'shutil:copyfile' cannot be called with a message: missing a required argument: 'dst'"),
        ("\x1b[31m:f", "is not the name of a module"),
    ],
)
def test_a_name_that_is_not_one_of_a_handler(aws: Aws, queue: str, handler: str, reason: str) -> None:
    """tests/sqs/test_handlers.py has all such names."""
    done = process(aws, ROOT / "tests/sqs", queue, handler)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
def test_sys_exit_in_a_handler_fails_one_message(aws: Aws, queue: str, tmp_path: Path, processes: str) -> None:
    fill(aws, queue, *TEXTS[:15], "leave", *TEXTS[15:30])
    worker = Worker(aws, tmp_path, queue, "leave", "--empty-after=2", f"--processes={processes}")
    errors = worker.end()
    assert worker.process.returncode == 1
    assert sorted(worker.handled()) == TEXTS[:30]
    assert "failed at receive 1: SystemExit: 3 (" in errors
    assert errors.endswith("30 processed, 1 failed\n")


def test_a_handler_that_ends_its_worker_process_is_reported(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, *TEXTS[:5], "die")
    worker = Worker(aws, tmp_path, queue, "die", "--forever", "--processes=2")
    errors = worker.end()
    assert worker.process.returncode == 1
    assert " ERROR hello_queue[" in errors
    assert "]: a worker process ended with exit status 7: " in errors


def test_a_handler_that_ends_the_only_process_sets_its_exit_status(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, "die")
    worker = Worker(aws, tmp_path, queue, "die", "--forever")
    worker.end()
    assert worker.process.returncode == 7


def test_a_coroutine_that_is_not_awaited_fails_the_message(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, "a")
    worker = Worker(aws, tmp_path, queue, "forgot_await", "--empty-after=1")
    errors = worker.end()
    assert worker.process.returncode == 1
    assert "the handler returned a coroutine, whose code has not run" in errors
    assert errors.endswith("0 processed, 1 failed\n")


@pytest.mark.parametrize(
    ("handler", "reason", "processes"),
    [
        ("no_reason", "CannotGoOn was raised without a reason", "1"),
        ("database_gone", "no database (BrokenPipeError: [Errno 32] the connection was closed)", "2"),
    ],
)
def test_a_handler_that_cannot_go_on(
    aws: Aws, queue: str, tmp_path: Path, handler: str, reason: str, processes: str
) -> None:
    fill(aws, queue, "a")
    worker = Worker(aws, tmp_path, queue, handler, "--forever", f"--processes={processes}")
    errors = worker.end()
    assert worker.process.returncode == 1
    summary, error = (line.partition("]: ")[2] for line in errors.splitlines())
    assert summary.startswith("0 processed, ")
    assert summary.endswith(" returned to the queue")
    assert error == f"the handler cannot go on: {reason}"
    assert bodies(aws, queue) == ["a"]


def test_a_handler_that_closes_stdout(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, "a")
    worker = Worker(aws, tmp_path, queue, "close_stdout", "--count=1")
    assert worker.end() == "1 processed\n"
    assert worker.process.returncode == 0
    fill(aws, queue, "b")
    worker = Worker(aws, tmp_path, queue, "close_stdout", "--count=1", "--json")
    errors = worker.end()
    assert worker.process.returncode == 1
    start = "stdout cannot be written, so this is the result: "
    assert errors.startswith(start)
    assert json.loads(errors.removeprefix(start))["processed"] == 1


def test_the_text_of_a_handlers_exception_is_escaped(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, "a")
    worker = Worker(aws, tmp_path, queue, "terminal_codes", "--empty-after=1")
    assert r"ValueError: \x1b[31mred\x9b\x7f\u202e (" in worker.end()


def test_json_is_one_line_on_stdout(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, "a", "poison", "b")
    worker = Worker(aws, tmp_path, queue, "poison", "--empty-after=1", "--json")
    errors = worker.end()
    assert worker.process.returncode == 1
    result = json.loads(worker.output)
    assert worker.output.count("\n") == 1
    assert (result["processed"], result["failed"]) == (2, 1)
    assert errors.count("\n") == 1
    assert "ValueError: it is poisoned" in errors


def test_json_comes_after_the_messages_and_statistics_stay_on_stderr(aws: Aws, queue: str) -> None:
    fill(aws, queue, "a")
    done = aws.script("process.py", "--queue-url", queue, "--empty-after=2", "--stats=1", "--json")
    text, result = done.stdout.splitlines()
    assert text == "a"
    assert json.loads(result)["processed"] == 1
    assert all(json.loads(line)["processed"] in (0, 1) for line in done.stderr.splitlines())
    assert done.stderr

"""Ctrl-C at any time: while a script imports, and while it waits for AWS."""

from __future__ import annotations

import ast
import os
import signal
import socket
import subprocess
import sys

import pytest

from hello_queue.project import ROOT

SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))

INTERRUPTED_IMPORT = """
import os, runpy, signal, sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == "botocore":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_an_interruption_during_the_imports_is_silent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT, "scripts/golden.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_handling_interruptions_is_the_first_import(script: str) -> None:
    tree = ast.parse((ROOT / "scripts" / script).read_text())
    imports = [each for each in tree.body if isinstance(each, (ast.Import, ast.ImportFrom))]
    assert ast.unparse(imports[1]) == "import hello_queue.cli.quiet_interrupts"


@pytest.mark.parametrize(
    ("before", "handler"),
    [
        ("import hello_queue", "default_int_handler"),
        ("import hello_queue.cli.quiet_interrupts", "Handlers.SIG_DFL"),
        ("import multiprocessing.spawn, hello_queue.cli.quiet_interrupts", "Handlers.SIG_IGN"),
        ("signal.signal(2, signal.SIG_IGN); import hello_queue.cli.quiet_interrupts", "Handlers.SIG_IGN"),
    ],
)
def test_who_handles_an_interruption(before: str, handler: str) -> None:
    code = f"import signal; {before}; print(signal.getsignal(2))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert handler in done.stdout or handler in repr(signal.Handlers(int(done.stdout)))


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("send.py", []),
        ("process.py", []),
        ("status.py", []),
        ("redrive.py", []),
        ("smoke_test.py", []),
        ("credentials.py", ["export"]),
    ],
)
def test_an_interrupted_call(script: str, arguments: list[str]) -> None:
    """The server accepts connections, and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        variables = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "x",
            "NO_PROXY": "127.0.0.1",
        }
        process = subprocess.Popen(
            [sys.executable, f"scripts/{script}", *arguments],
            cwd=ROOT,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        server.settimeout(60)
        connection, _ = server.accept()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
        connection.close()
    assert (process.returncode, stdout, stderr) == (130, "", f"{script}: interrupted\n")


WHILE_A_BATCH_IS_SETTLED = """
import os, signal
from hello_queue.cli.interrupts import finish_first
from hello_queue.sqs.producer import Outcome
from hello_queue.sqs.sending_progress import SendingProgress

def twice(line):
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)

progress = SendingProgress(0, twice, print)
with finish_first(lambda: None, lambda: f"{progress.sent_beyond} beyond {progress.position}"):
    progress.settle(Outcome(sent={2: "", 3: ""}, refused=[(1, b"x", "too long")]))
"""


def test_two_signals_while_a_batch_is_settled_end_the_process() -> None:
    command = [sys.executable, "-c", WHILE_A_BATCH_IS_SETTLED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr.splitlines()[-1] == "2 beyond 0"


WITHOUT_A_READER = """
import os, signal, threading
from hello_queue.cli.interrupts import finish_first

stopped = threading.Event()
with finish_first(stopped.set, str):
    print("ready", flush=True)
    input()
    os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.wait(10)
"""


def test_a_stop_does_not_depend_on_a_reader_of_stderr() -> None:
    """As when the program that collects the logs has ended."""
    command, pipe = [sys.executable, "-c", WITHOUT_A_READER], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.stderr.close()
        process.communicate("\n", timeout=20)
    assert process.returncode == 0


AT_THE_END = """
import atexit, os, signal
from hello_queue.cli.main import run
atexit.register(os.kill, os.getpid(), signal.SIGINT)
run(lambda: print("done"))
"""


def test_an_interruption_while_python_ends_is_silent() -> None:
    done = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "done\n", "")

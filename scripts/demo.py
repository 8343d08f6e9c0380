# PYTHON_ARGCOMPLETE_OK
"""Show everything in a minute: deploy, send, process, smoke test, destroy. `make demo` runs it in a local AWS."""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hello_queue.aws.clients import is_local
from hello_queue.cli.main import DONE, run
from hello_queue.cli.options import parser
from hello_queue.cli.screen import foreign, screen
from hello_queue.errors import HelloQueueError
from hello_queue.project import environment_with_tools

SCRIPTS = Path(__file__).resolve().parent


def main() -> int:
    parser(__doc__ or "", "  make demo").parse_args()
    if not is_local(os.environ.get("AWS_ENDPOINT_URL", "")):
        raise HelloQueueError("AWS_ENDPOINT_URL is not a local AWS, and the demo runs only there: use `make demo`")
    show = Shown()
    show.line("A local AWS is up: nothing leaves this machine, and no account is needed.", indent=0)
    with tempfile.TemporaryDirectory() as directory:
        assembly = Path(directory) / "cdk.out"
        show.step(1, "Deploy a queue and its user with the real CDK CLI", "npx cdk deploy --all")
        deployed = _deploy(assembly, Path(directory) / "outputs.json")
        show.line(f"queue {deployed['QueueName']}, user {deployed['UserName']}, an access key in Secrets Manager")
        show.step(2, "Install the access key as a profile", "python scripts/credentials.py profile queue")
        show.line(_script("credentials.py", "profile", "queue")[0].partition(": ")[0])
        show.step(3, "Send a message as that user", "AWS_PROFILE=queue python scripts/send.py --author Ada")
        show.line(_script("send.py", "--author", "Ada", profile="queue")[0])
        show.step(
            4, "Process it, 5 seconds later: the queue's delay", "AWS_PROFILE=queue python scripts/process.py --count 1"
        )
        show.line(_script("process.py", "--count", "1", profile="queue")[0])
        show.step(5, "Prove what was deployed, and who may do what", "python scripts/smoke_test.py")
        show.line(_script("smoke_test.py")[-1])
        show.step(6, "Destroy it", "npx cdk destroy --all")
        _cdk("destroy", "--all", "--force", f"--app={assembly}")
        show.line("nothing is left")
    show.line("You have seen a deployment, a message on its way, and a proof of every right.", indent=0)
    show.line('For your own account: README.md, "Deploy to a real account".', indent=0)
    return DONE


class Shown:
    """What the demo shows: numbered steps, each with its command and its result. All of it fits 24 lines."""

    def __init__(self) -> None:
        self._console = screen()

    def step(self, number: int, title: str, command: str) -> None:
        self._console.print(foreign(f"{number}/6  {title}", style="bold"))
        self._console.print(foreign(f"     $ {command}", style="cyan"), soft_wrap=True)
        sys.stdout.flush()

    def line(self, text: str, indent: int = 5) -> None:
        self._console.print(foreign(" " * indent + text if indent else text))
        sys.stdout.flush()


def _deploy(assembly: Path, outputs: Path) -> dict[str, str]:
    """Deploy both stacks. Returns their outputs."""
    _cdk("deploy", "--all", "--require-approval=never", f"--output={assembly}", f"--outputs-file={outputs}")
    stacks: dict[str, dict[str, str]] = json.loads(outputs.read_text())
    return {name: value for stack in stacks.values() for name, value in stack.items()}


def _cdk(*arguments: str) -> None:
    """Run the CDK CLI without showing its output."""
    _run(f"cdk {arguments[0]}", ["cdk", *arguments], environment_with_tools())


def _script(name: str, *arguments: str, profile: str | None = None) -> list[str]:
    """Run one of the scripts. Returns the lines of its output."""
    environment = {**os.environ, "AWS_PROFILE": profile} if profile else os.environ
    return _run(name, [sys.executable, str(SCRIPTS / name), *arguments], environment)


def _run(name: str, command: list[str], environment: Mapping[str, str]) -> list[str]:
    try:
        done = subprocess.run(
            command,
            cwd=SCRIPTS.parent,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        raise HelloQueueError(f"{name} cannot be started: {error.strerror}. Run `make setup`") from None
    if done.returncode:
        raise HelloQueueError(f"{name} failed with status {done.returncode}:\n{done.stdout}")
    return done.stdout.splitlines()


if __name__ == "__main__":
    run(main)

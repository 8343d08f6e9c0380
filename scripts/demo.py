"""Show everything in a minute: deploy, send, process, smoke test, destroy. `make demo` runs it in a local AWS."""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from hello_queue.cli.main import DONE, run
from hello_queue.cli.options import parser
from hello_queue.errors import HelloQueueError

SCRIPTS = Path(__file__).resolve().parent


def main() -> int:
    parser(__doc__ or "", "  make demo").parse_args()
    if urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname != "127.0.0.1":
        raise HelloQueueError("AWS_ENDPOINT_URL is not a local AWS, and the demo runs only there: use `make demo`")
    print("A local AWS is up. Nothing leaves this machine, and no account is needed.")
    with tempfile.TemporaryDirectory() as directory:
        outputs, assembly = Path(directory) / "outputs.json", Path(directory) / "cdk.out"
        _step(1, "Deploy both stacks with the real CDK CLI", "cdk deploy --all")
        _cdk("deploy", "--all", "--require-approval=never", f"--output={assembly}", f"--outputs-file={outputs}")
        for stack, values in json.loads(outputs.read_text()).items():
            for name, value in values.items():
                print(f"  {stack}.{name} = {value}")
        _step(2, "Store the user's access key in a profile", "python scripts/credentials.py profile queue")
        _script("credentials.py", "profile", "queue")
        _step(3, "Send a message as that user", "AWS_PROFILE=queue python scripts/send.py --author Ada")
        _script("send.py", "--author", "Ada", profile="queue")
        _step(
            4, "Process it (the queue delays it by 5 seconds)", "AWS_PROFILE=queue python scripts/process.py --count 1"
        )
        _script("process.py", "--count", "1", profile="queue")
        _step(5, "Check what was deployed", "python scripts/smoke_test.py")
        _script("smoke_test.py")
        _step(6, "Destroy it", "cdk destroy --all")
        for line in _cdk("destroy", "--all", "--force", f"--app={assembly}"):
            if "✅" in line:
                print(f"  {line}")
    print('\nThat is all. To see it in your own account, read README.md, "Deploy to a real account".')
    return DONE


def _step(number: int, title: str, command: str) -> None:
    print(f"\n{number}/6  {title}\n  $ {command}", flush=True)


def _cdk(*arguments: str) -> list[str]:
    """Run the CDK CLI without showing its output. Returns the lines of it."""
    command = ["cdk", *arguments]
    done = subprocess.run(
        command, cwd=SCRIPTS.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise HelloQueueError(f"cdk {arguments[0]} failed:\n{done.stdout}")
    return done.stdout.splitlines()


def _script(name: str, *arguments: str, profile: str | None = None) -> None:
    """Run one of the scripts, and indent its output."""
    environment = {**os.environ, "AWS_PROFILE": profile} if profile else None
    command = [sys.executable, str(SCRIPTS / name), *arguments]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"  {line}", end="", flush=True)
    if process.returncode:
        raise HelloQueueError(f"{name} failed with status {process.returncode}")


if __name__ == "__main__":
    run(main)

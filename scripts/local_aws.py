# PYTHON_ARGCOMPLETE_OK
"""Run a command against a local AWS, or keep a local AWS running.

The local AWS is a process on this machine that enforces signatures, IAM policies and TLS. It needs no AWS account,
starts empty, and forgets everything when it stops.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

from hello_queue.cli.main import DONE, run
from hello_queue.cli.options import parser, region_name
from hello_queue.errors import HelloQueueError
from hello_queue.local_aws.instance import Instance, local_aws

EXAMPLES = """\
  python scripts/local_aws.py -- npx cdk deploy --all
      run one command, then stop, and exit with its status
  python scripts/local_aws.py
      stay up, and print exports for another terminal"""

GRACE_SECONDS = 10
"""How long a command may take to stop after a signal before it is killed."""


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """This process received a signal to stop."""

    def __init__(self, signum: int) -> None:
        self.signum = signum


def main() -> int:
    options = parser(__doc__ or "", EXAMPLES)
    options.add_argument("--region", default="us-east-1", type=region_name, help="the region (default: %(default)s)")
    options.add_argument(
        "command", nargs="*", metavar="-- COMMAND", help="the command and its arguments (default: stay up until Ctrl-C)"
    )
    arguments = options.parse_args()
    for signum in _SIGNALS:
        signal.signal(signum, _stop)
    if arguments.command:
        threading.Thread(target=_stop_with_parent, args=(os.getppid(),), daemon=True).start()
    is_up = False
    try:
        with local_aws(region=arguments.region) as instance:
            is_up = True
            if arguments.command:
                return run_command(instance, arguments.command)
            return stay_up(instance)
    except Stopped as stopped:
        if not is_up:  # otherwise, the command says so
            print("local_aws.py: interrupted", file=sys.stderr)
        return 128 + stopped.signum


def run_command(instance: Instance, command: list[str]) -> int:
    """Run the command inside the local AWS. Returns its exit status, or 128 + the signal that ended it.

    The command runs in a new session, so that no process it started outlives it (unless that leaves the session).
    """
    try:
        process = subprocess.Popen(
            command,
            env=instance.environment(),
            start_new_session=True,
            preexec_fn=lambda: instance.guard(os.getpid()),
        )
    except OSError as error:
        raise HelloQueueError(f"{command[0]!r} cannot be started: {error.strerror}") from error
    try:
        status = process.wait()
    except Stopped as stopped:
        for signum in _SIGNALS:  # a second signal ends the grace period
            signal.signal(signum, lambda *_: _signal_all(process, signal.SIGKILL))
        _signal_all(process, stopped.signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        raise
    finally:
        _ignore_signals()
        _signal_all(process, signal.SIGKILL)
        process.wait()
        if instance.process.poll() is None:
            instance.guard(0)
        else:
            print(f"the local AWS died. Its log ends:\n{instance.log_tail()}", file=sys.stderr)
    return status if status >= 0 else 128 - status


def stay_up(instance: Instance) -> int:
    """Print the exports and wait until stopped."""
    print(instance.exports(), end="", flush=True)
    print(
        "# The local AWS is up. Paste these lines into another terminal: commands there\n"
        "# then use the local AWS, and reach no other network. Ctrl-C here stops it.",
        file=sys.stderr,
    )
    try:
        instance.process.wait()
    except Stopped as stopped:
        if stopped.signum == signal.SIGINT:
            return DONE
        raise
    raise HelloQueueError(f"the local AWS died. Its log ends:\n{instance.log_tail()}")


def _stop(signum: int, frame: FrameType | None) -> None:
    _ignore_signals()  # another one would end the cleanup, and this process without its exit status
    raise Stopped(signum)


def _ignore_signals() -> None:
    for signum in _SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


def _stop_with_parent(parent: int) -> None:
    """Stop when the parent process is gone, such as a killed `make`. There is no portable way to wait for that."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def _signal_all(process: subprocess.Popen[bytes], signum: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signum)


if __name__ == "__main__":
    run(main)

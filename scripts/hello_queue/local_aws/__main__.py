"""The server process of the local AWS. `instance` starts it and holds the other end of its stdin.

When that end closes, however its holder ended (SIGKILL included), this process kills the holder's command, removes the
instance's directory, and exits with all of its children. Each line on stdin is the process group to kill (0: none).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import shutil
import signal
import socket
import sys
import threading

from hypercorn.config import Config

ADDITIONS = (
    "authorization",
    "dry_run",
    "fair_queues",
    "iam_resources",
    "message_limits",
    "message_move_tasks",
    "policy_variables",
    "queue_names",
    "stack_events",
)
"""The modules that add to ministack what it lacks."""


def exit_with_holder(directory: str) -> None:
    guarded = 0
    for line in sys.stdin.buffer:
        guarded = int(line)
    if guarded:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(guarded, signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def main(directory: str, certificate: str, listener: str) -> None:
    threading.Thread(target=exit_with_holder, args=(directory,), daemon=True).start()

    # Imported only now: ministack reads its environment when imported, and takes about two seconds.
    from ministack.app import app

    from hello_queue.local_aws.web_server import serve

    for addition in ADDITIONS:
        importlib.import_module(f"hello_queue.local_aws.{addition}").install()
    config = Config()
    config.certfile = config.keyfile = certificate
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    # A socket that the parent opened: no race for a free port, and nothing on 443 or on other interfaces.
    asyncio.run(serve(app, config, socket.socket(fileno=int(listener))))


if __name__ == "__main__":
    main(*sys.argv[1:])

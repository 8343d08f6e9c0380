"""The server process of the local AWS. ``instance`` starts it and holds the other end of its stdin.

When that end closes, however its holder ended (SIGKILL too), this process kills what the holder had started, removes
the instance's directory, and ends with all of its children. Each line on stdin is the process group to be killed then
(0: none).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import threading

from hypercorn.asyncio import serve
from hypercorn.config import Config


def end_with_holder(directory: str) -> None:
    guarded = 0
    for line in sys.stdin.buffer:
        guarded = int(line)
    if guarded:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(guarded, signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def main(directory: str, certificate: str, tls_listener: str, plain_listener: str) -> None:
    threading.Thread(target=end_with_holder, args=(directory,), daemon=True).start()

    # Imported only now: ministack reads its environment when imported, and takes about two seconds.
    from ministack.app import app

    from hello_queue.local_aws import authorization, iam_resources

    iam_resources.install()
    authorization.install()
    config = Config()
    # Sockets that the parent opened: no race for a free port, and nothing on 443 or on other interfaces.
    config.bind = [f"fd://{tls_listener}"]
    config.insecure_bind = [f"fd://{plain_listener}"]
    config.certfile = config.keyfile = certificate
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Ctrl-C while a script is still importing ends it without a traceback.

A script imports this module first; `hello_queue.cli.main.run` restores Python's handler.
"""

from __future__ import annotations

import signal
import sys

# A process that was started with SIGINT ignored (nohup, `command &` in a shell script) keeps ignoring it.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # In a worker process, Ctrl-C is for the parent process to handle.
    in_worker_process = "multiprocessing.spawn" in sys.modules
    signal.signal(signal.SIGINT, signal.SIG_IGN if in_worker_process else signal.SIG_DFL)

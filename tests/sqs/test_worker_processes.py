"""Worker processes: signals that arrive together."""

from __future__ import annotations

import subprocess
import sys

INTERRUPTED_AT_EVERY_LINE = """
import os, signal, sys
from hello_queue.sqs.worker_processes import stopped_by_parent

wait_for_stop = stopped_by_parent()
left = 100

def interrupt(*_):
    global left
    if left:
        left -= 1
        os.kill(os.getpid(), signal.SIGTERM)
    return interrupt

sys.settrace(interrupt)
os.kill(os.getpid(), signal.SIGTERM)
sys.settrace(None)
wait_for_stop()
"""


def test_a_signal_while_another_is_handled_does_not_hang() -> None:
    """A supervisor signals all processes, and the parent its workers: both arrive at once."""
    subprocess.run([sys.executable, "-c", INTERRUPTED_AT_EVERY_LINE], timeout=20, check=True)

"""How a script ends: 0 done, 1 failed, 2 called wrongly, 130 interrupted."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from botocore import exceptions as aws

from hello_queue.aws.errors import explain
from hello_queue.cli.terminal import printable
from hello_queue.errors import HelloQueueError, UsageError

DONE, FAILED, CALLED_WRONGLY = 0, 1, 2


def run(main: Callable[[], int]) -> None:
    """Run a script's main function and exit with its status. An expected failure is one line on stderr."""
    if sys.stdout is None or sys.stderr is None:
        sys.exit(FAILED)  # there is nowhere to report to
    # A body that this terminal cannot show is shown as far as it can be, and does not come back for ever.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = main()
        if not sys.stdout.closed:  # somebody's handler may have closed it
            sys.stdout.flush()
    except HelloQueueError as error:
        status = _report(str(error), CALLED_WRONGLY if isinstance(error, UsageError) else FAILED)
    except (aws.BotoCoreError, aws.ClientError) as error:
        message = explain(error)
        if message is None:
            raise
        status = _report(message, FAILED)
    except BrokenPipeError:
        # Whoever read the output went away. Python would complain once more when it closes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EBADF, errno.EIO):
            raise
        _report(f"the output cannot be written: {error.strerror}", FAILED)
        os._exit(FAILED)  # Python would try once more to write what is left
    except KeyboardInterrupt:
        status = _report("interrupted", 128 + signal.SIGINT)
    sys.exit(status)


def _report(message: str, status: int) -> int:
    print(f"{Path(sys.argv[0]).name}: {printable(message, keep=chr(10))}", file=sys.stderr)
    return status

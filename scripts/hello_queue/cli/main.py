"""How a script ends: status 0 done, 1 failed, 2 invalid arguments, 130 interrupted."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from botocore import exceptions as aws

from hello_queue.aws.errors import explain
from hello_queue.cli import logs
from hello_queue.cli.terminal import printable
from hello_queue.errors import HelloQueueError, UsageError

DONE, FAILED, USAGE_ERROR = 0, 1, 2

_OUTPUT_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF, errno.EIO}


def run(main: Callable[[], int]) -> None:
    """Run a script's main function and exit with its status. An expected failure is one line on stderr."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # by hello_queue.cli.quiet_interrupts
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.stderr is None:
        sys.exit(FAILED)  # there is nowhere to report to
    if sys.stdout is None:
        sys.exit(_report("stdout is closed: redirect it to /dev/null to discard the output", FAILED))
    if not re.fullmatch("[1-9][0-9]{0,4}", os.environ.get("COLUMNS", "80")):
        del os.environ["COLUMNS"]  # rich would take 0 for a width, and stumble over ²
    # Characters that the terminal's encoding lacks are escaped. An error would return the message again and again.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            status = main()
        except SystemExit:  # such as --help
            sys.stdout.flush()
            raise
        if not sys.stdout.closed:  # a handler may have closed it
            sys.stdout.flush()
    except UsageError as error:
        status = _report(printable(str(error)), USAGE_ERROR)
    except HelloQueueError as error:
        # Such as the log of a command that failed: its lines are indented, and cannot pass for ours.
        status = _report("\n  ".join(printable(line) for line in str(error).split("\n")), FAILED)
    except (aws.BotoCoreError, aws.ClientError) as error:
        message = explain(error)
        if message is None:
            raise
        status = _report(printable(message), FAILED)
    except BrokenPipeError:
        # The reader of the output has ended. Python would report that again when it closes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    except OSError as error:
        if variable := _variable(error.filename):
            sys.exit(
                _report(f"{variable}={error.filename!r} cannot be read: {error.strerror}. Correct or unset it", FAILED)
            )
        if error.errno not in _OUTPUT_ERRORS:
            raise
        _report(f"the output cannot be written: {error.strerror}", FAILED)
        os._exit(FAILED)  # Python would try again to write what is left
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # a terminal shows ^C
        status = _report("interrupted", 128 + signal.SIGINT)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # from here on, Ctrl-C would be an exception in Python's own end
    sys.exit(status)


def _variable(file: object) -> str | None:
    """The variable for an SDK that names this file, such as AWS_WEB_IDENTITY_TOKEN_FILE."""
    return next((name for name, value in os.environ.items() if name.startswith("AWS_") and value == file), None)


def _report(text: str, status: int) -> int:
    if logs.started():
        logs.LOGGER.error("%s", text)
    else:
        print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr)
    return status

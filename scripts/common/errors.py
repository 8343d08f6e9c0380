"""How a script ends: 0 done, 1 failed, 2 called wrongly; an expected failure is one line, a bug keeps its traceback."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from botocore import exceptions as aws

DONE, FAILED, CALLED_WRONGLY = 0, 1, 2


class ScriptError(Exception):
    """An expected failure. The message is one line: what, where, and what to try next."""

    status = FAILED


class UsageError(ScriptError):
    """The script was called with something it cannot work with."""

    status = CALLED_WRONGLY


def run(main: Callable[[], int]) -> None:
    """Run a script's main function and exit with its status."""
    if sys.stdout is None or sys.stderr is None:
        sys.exit(FAILED)  # there is nowhere to say anything to
    # A body that this terminal cannot show is shown as far as it can be, and does not come back for ever.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = main()
        sys.stdout.flush()
    except ScriptError as error:
        status = _report(str(error), error.status)
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
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    return status


_BAD_CREDENTIALS = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
_NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


def error_code(error: aws.ClientError) -> str:
    """The error's code as botocore gives it: the query-compatible one where the service sends two."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_no_such_queue(error: aws.ClientError) -> bool:
    return error_code(error) in _NO_QUEUE


def is_denied(error: aws.ClientError) -> bool:
    return error_code(error) in _DENIED


def explain(error: aws.BotoCoreError | aws.ClientError) -> str | None:
    """One line on an error of AWS or of the way there, or None where it is not one that a caller can expect."""
    if isinstance(error, aws.ClientError):
        return _explain_answer(error)
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError, aws.TokenRetrievalError)):
        return f"no usable AWS credentials ({text}). Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if isinstance(error, (aws.CredentialRetrievalError, aws.SSOError, aws.LoginError)):
        return f"AWS credentials could not be fetched ({text}). Sign in again, or choose another AWS_PROFILE"
    if isinstance(error, aws.ProfileNotFound):
        return f"{text}. `aws configure list-profiles` lists those that exist; AWS_PROFILE chooses one"
    if isinstance(error, (aws.NoRegionError, aws.InvalidRegionError)):
        return f"{text}. Set AWS_DEFAULT_REGION, or `region` in the profile"
    if isinstance(error, aws.SSLError):
        return f"the TLS certificate was not accepted: {text}. Is AWS_CA_BUNDLE right for this endpoint?"
    if isinstance(error, (aws.HTTPClientError, aws.ConnectionError)):
        return f"no answer from AWS: {text}. Check the network, the region and AWS_ENDPOINT_URL, then try again"
    if isinstance(error, (aws.ParamValidationError, aws.InvalidEndpointConfigurationError, aws.ConfigParseError)):
        return text
    return None


def _explain_answer(error: aws.ClientError) -> str:
    code = error_code(error)
    message = " ".join(str(error.response.get("Error", {}).get("Message", "")).split()).rstrip(".")
    said = f"{error.operation_name}: {message or 'no message'} ({code})"
    if code in _BAD_CREDENTIALS:
        return f"{said}. AWS does not know this access key: check AWS_PROFILE or AWS_ACCESS_KEY_ID"
    if code == "SignatureDoesNotMatch":
        return f"{said}. The secret does not belong to the access key: check AWS_SECRET_ACCESS_KEY, and the clock"
    if code in _EXPIRED:
        return f"{said}. Sign in again, or check the clock"
    if code in _DENIED:
        return f"{said}. Ask for the right that is named, or use other credentials (AWS_PROFILE)"
    if code in _NO_QUEUE:
        return f"{said}. Check the queue's name, the region and the account"
    return said

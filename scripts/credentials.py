# PYTHON_ARGCOMPLETE_OK
"""Write the access key of the deployment's user, from Secrets Manager, to where it is used.

The key is read with your own credentials, which need the right to read the secret. Files are written with mode 0600.
Nothing that exists is overwritten without --force.
"""

from __future__ import annotations

import hello_queue.cli.quiet_interrupts  # noqa: F401  (first: see there)

# isort: split
import argparse
import csv
import io
import json
import os
import shlex
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import ClientError

from hello_queue.aws.clients import AccessKey, client
from hello_queue.aws.errors import is_denied
from hello_queue.cli.main import DONE, run
from hello_queue.cli.options import DEFAULT_QUEUE, deployment_name, parser, profile_name, region_name, secret_name
from hello_queue.cli.progress import report
from hello_queue.constants import IDENTITY_STACK, MESSAGING_STACK
from hello_queue.deployment.access_key import access_key_secret, owner_of, read_access_key, user_name
from hello_queue.deployment.private_files import check_writable, is_unignored_in_git, write_private
from hello_queue.deployment.profiles import checked_profile_name, write_profile
from hello_queue.deployment.stacks import DeployedStack
from hello_queue.errors import HelloQueueError, UsageError

EXAMPLES = """\
  python scripts/credentials.py profile queue
      a profile; then: AWS_PROFILE=queue python scripts/send.py
  python scripts/credentials.py profile queue --process
      a profile that fetches the key each time and stores nothing
  python scripts/credentials.py csv key.csv
      the console's .csv, for `aws configure import --csv`
  eval "$(python scripts/credentials.py export)"
      for this shell only"""

KEY_LIFETIME = timedelta(hours=1)
"""After how long a process that uses `credential_process` fetches the key again. The key itself does not expire; this
is how a long-running process gets the new key of a rotation."""

OTHER_SOURCES = (
    *("role_arn", "source_profile", "credential_source", "web_identity_token_file", "login_session"),
    *("sso_session", "sso_account_id", "sso_role_name", "sso_start_url", "sso_region"),
)
"""Keys of a profile that would make an SDK use other credentials than the access key."""

KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
"""With the first one set, boto3 ignores AWS_PROFILE:
https://docs.aws.amazon.com/boto3/latest/guide/credentials.html"""

_RUNNING = "CREDENTIALS_PY_RUNNING"


class Owner(NamedTuple):
    """The user that an access key belongs to.

    Attributes:
        name: the user's name.
        is_stack_user: whether it is the stack's user; False if the caller may not read the stack.
        summary: a line for the terminal.
    """

    name: str
    is_stack_user: bool
    summary: str


def main() -> int:
    arguments = _parse()
    commands = {"profile": _profile, "csv": _csv, "export": _export, "process": _process}
    commands[arguments.command](arguments)
    return DONE


def _profile(arguments: argparse.Namespace) -> None:
    name = checked_profile_name(arguments.name)
    if arguments.process and os.environ.get("AWS_ACCESS_KEY_ID") and not arguments.as_profile:
        raise UsageError(
            "--process: your credentials are in the environment (AWS_ACCESS_KEY_ID), where the profile would not find "
            "them later: name a profile that may read the secret with --as PROFILE, or omit --process"
        )
    region_before = os.environ.get("AWS_DEFAULT_REGION")
    credentials: dict[str, str | None] = {"aws_access_key_id": None, "aws_secret_access_key": None}
    key = _read(arguments)
    region = _region(arguments)
    config: dict[str, str | None] = {"region": region, "credential_process": None, **dict.fromkeys(OTHER_SOURCES)}
    if arguments.process:
        config["credential_process"] = _process_command(arguments, name)
    else:
        credentials = {"aws_access_key_id": key.key_id, "aws_secret_access_key": key.secret}
    credentials["aws_session_token"] = None
    owner = _verify(arguments, key)
    files = write_profile(name, credentials=credentials, config=config, overwrite=arguments.force)
    report(owner.summary)
    report(f"profile {name} is now in {' and '.join(map(str, files))}")
    override = [variable for variable in KEY_VARIABLES if variable in os.environ]
    override = override if os.environ.get("AWS_ACCESS_KEY_ID") else []
    override += ["AWS_DEFAULT_REGION"] if region_before not in (None, "", region) else []
    unset = "".join(f"-u {variable} " for variable in override)
    prefix = f"env {unset}" if unset else ""
    queue = _queue_option(arguments, known=owner.is_stack_user)
    report(f"use it: {prefix}AWS_PROFILE={name} python scripts/send.py{queue}")


def _csv(arguments: argparse.Namespace) -> None:
    path = Path(arguments.file)
    to_stdout = arguments.file == "-"
    if to_stdout:
        _refuse_terminal(arguments)
    else:
        check_writable(arguments.file, overwrite=arguments.force)
    key = _read(arguments)
    owner = _verify(arguments, key)
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["User Name", "Access key ID", "Secret access key"])
    writer.writerow([owner.name, key.key_id, key.secret])
    if to_stdout:
        report(owner.summary)
        print(table.getvalue(), end="")
        return
    write_private(path, table.getvalue())
    report(owner.summary)
    report(
        f"wrote {path}. To import it: `aws configure import --csv file://{path.resolve()}` (AWS CLI v2); then delete it"
    )
    if is_unignored_in_git(path):
        report(f"warning: {path} is in a git working tree and not ignored: delete or move it before you `git add`")


def _export(arguments: argparse.Namespace) -> None:
    _refuse_terminal(arguments)
    key = _read(arguments)
    report(_verify(arguments, key).summary)
    print(f"export AWS_ACCESS_KEY_ID={shlex.quote(key.key_id)}")
    print(f"export AWS_SECRET_ACCESS_KEY={shlex.quote(key.secret)}")
    print(f"export AWS_DEFAULT_REGION={shlex.quote(_region(arguments))}")
    print("unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE")


def _process(arguments: argparse.Namespace) -> None:
    """Print the key as the `credential_process` of a profile:
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
    """
    _refuse_terminal(arguments)
    if os.environ.get(_RUNNING):
        raise HelloQueueError("this profile fetches its key with itself: name the profile to use with --as PROFILE")
    os.environ[_RUNNING] = "1"
    # Set by the process that needs the key, and would make this one fetch its credentials from itself.
    for variable in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(variable, None)
    key = _read(arguments)
    expiration = (datetime.now(timezone.utc) + KEY_LIFETIME).isoformat(timespec="seconds")
    answer = {"Version": 1, "AccessKeyId": key.key_id, "SecretAccessKey": key.secret, "Expiration": expiration}
    print(json.dumps(answer))


def _read(arguments: argparse.Namespace) -> AccessKey:
    """Read the access key. Puts --region into this process's environment."""
    if arguments.region:
        os.environ["AWS_DEFAULT_REGION"] = arguments.region
    secret = arguments.secret
    if secret is None:
        secret = access_key_secret(_stack(arguments, IDENTITY_STACK))
    return read_access_key(client("secretsmanager", profile=arguments.as_profile), secret)


def _region(arguments: argparse.Namespace) -> str:
    """The region of the secret. There is one: the secret was read."""
    return str(boto3.Session(profile_name=arguments.as_profile).region_name)


def _verify(arguments: argparse.Namespace, key: AccessKey) -> Owner:
    """Check that the key works, and whose it is.

    Raises:
        HelloQueueError: it belongs to another user than that of the deployment that was asked for.
    """
    arn = owner_of(key)
    stack = _readable_stack(arguments, IDENTITY_STACK)
    name, expected = user_name(arn), stack.outputs["UserName"] if stack else None
    if stack is None or name == expected:
        return Owner(name, stack is not None, f"the key {key.key_id} works: it belongs to {arn}")
    mismatch = f"the key {key.key_id} works but belongs to {arn}, not to {expected}, the user of {stack.name}"
    if arguments.secret is None or arguments.deployment is not None:
        raise HelloQueueError(f"{mismatch}: deploy again to restore the secret, or check --secret and --deployment")
    return Owner(name, False, f"warning: {mismatch}")


def _queue_option(arguments: argparse.Namespace, *, known: bool) -> str:
    """How to tell send.py which queue the key is for. ``known``: whether the key belongs to the stack's user."""
    stack = _readable_stack(arguments, MESSAGING_STACK) if known else None
    if stack is not None:
        # By name: the queue's user may not read stacks.
        queue = stack.outputs["QueueName"]
        return "" if queue == DEFAULT_QUEUE else f" --queue {queue}"
    return " --queue NAME"


def _readable_stack(arguments: argparse.Namespace, name: str) -> DeployedStack | None:
    """The stack, or None if the caller may not read it, or named a secret of no deployment that exists here."""
    try:
        return _stack(arguments, name)
    except ClientError as error:
        if not is_denied(error):
            raise
    except HelloQueueError:
        if arguments.deployment is not None:
            raise
    return None


def _stack(arguments: argparse.Namespace, name: str) -> DeployedStack:
    return DeployedStack(client("cloudformation", profile=arguments.as_profile), name, arguments.deployment or "")


def _process_command(arguments: argparse.Namespace, name: str) -> str:
    source = arguments.as_profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
    if source == name:
        raise UsageError(
            f"profile {name} cannot fetch its key with itself: choose another name, or name another profile with --as"
        )
    command = [sys.executable, str(Path(__file__).resolve()), "process"]
    command += ["--region", _region(arguments)]
    command += ["--as", source] if source else []
    command += ["--secret", arguments.secret] if arguments.secret else []
    command += ["--deployment", arguments.deployment] if arguments.deployment else []
    return shlex.join(command)


def _refuse_terminal(arguments: argparse.Namespace) -> None:
    if sys.stdout.isatty() and not arguments.show:
        raise UsageError("this would show the secret on your terminal: redirect it to a program, or add --show")


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    commands = options.add_subparsers(dest="command", required=True, metavar="COMMAND")
    profile = _command(commands, "profile", "write a profile to the AWS credentials and config files")
    profile.add_argument("name", metavar="NAME", help="the profile's name")
    profile.add_argument("--process", action="store_true", help="write how to fetch the key instead of the key")
    as_csv = _command(commands, "csv", "write the .csv file that the console offers for download")
    as_csv.add_argument("file", metavar="FILE", help="the file to write; - for stdout")
    for command in (profile, as_csv):
        command.add_argument("--force", action="store_true", help="replace an existing profile or file")
    export = _command(commands, "export", "print `export` lines for a shell")
    process = _command(commands, "process", "print the key as JSON, as the `credential_process` of a profile")
    for command in (as_csv, export, process):
        command.add_argument("--show", action="store_true", help="print the secret even if stdout is a terminal")
    return options.parse_args()


def _command(commands: Any, name: str, description: str) -> argparse.ArgumentParser:
    sentence = f"{description[0].upper()}{description[1:]}."
    command: argparse.ArgumentParser = commands.add_parser(name, help=description, description=sentence)
    key = command.add_argument_group("which key")
    key.add_argument(
        "--deployment",
        metavar="NAME",
        type=deployment_name,
        help="that of this deployment (default: the one without a name)",
    )
    key.add_argument(
        "--secret",
        metavar="NAME",
        type=secret_name,
        help="that in this secret, if you may not read the stack's outputs",
    )
    key.add_argument("--region", metavar="NAME", type=region_name, help="the secret's region (default: your profile's)")
    key.add_argument(
        "--as",
        dest="as_profile",
        metavar="PROFILE",
        type=profile_name,
        help="read it with this profile (default: yours)",
    )
    return command


if __name__ == "__main__":
    run(main)

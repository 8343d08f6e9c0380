"""Bring the access key of the deployment's user from Secrets Manager to where it is used.

It is read with your own right to read the secret. Files are written for you alone (mode 0600), and nothing that exists
is overwritten unless you say --force.
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
from typing import Any

import boto3

from hello_queue.aws.clients import AccessKey, client
from hello_queue.cli.main import DONE, run
from hello_queue.cli.options import parser
from hello_queue.constants import IDENTITY_STACK
from hello_queue.deployment.access_key import owner_of, read_access_key, secret_of
from hello_queue.deployment.private_files import write_private
from hello_queue.deployment.profiles import checked_profile_name, write_profile
from hello_queue.deployment.stacks import DeployedStack
from hello_queue.errors import HelloQueueError, UsageError

EXAMPLES = """\
  python scripts/credentials.py profile queue             a profile, as `aws configure` writes it;
                                                          then: AWS_PROFILE=queue python scripts/send.py
  python scripts/credentials.py profile queue --process   a profile that fetches the key each time: nothing is stored
  python scripts/credentials.py csv key.csv               the console's .csv, for `aws configure import --csv`
  eval "$(python scripts/credentials.py export)"          into this shell only"""

KEY_LIFETIME = timedelta(hours=1)
"""How long a process that got the key by `process` may use it before it asks again. The key itself does not expire;
this is how a long-running process comes to the new one in a rotation."""

OTHER_SOURCES = (
    *("role_arn", "source_profile", "credential_source", "web_identity_token_file", "login_session"),
    *("sso_session", "sso_account_id", "sso_role_name", "sso_start_url", "sso_region"),
)
"""What in a profile would make it somebody else's, whatever key it has."""

_RUNNING = "CREDENTIALS_PY_RUNNING"


def main() -> int:
    arguments = _parse()
    commands = {"profile": _profile, "csv": _csv, "export": _export, "process": _process}
    commands[arguments.command](arguments)
    return DONE


def _profile(arguments: argparse.Namespace) -> None:
    name = checked_profile_name(arguments.name)
    credentials: dict[str, str | None] = {"aws_access_key_id": None, "aws_secret_access_key": None}
    key = _read(arguments)
    config: dict[str, str | None] = {"region": _region(arguments), **dict.fromkeys(OTHER_SOURCES)}
    if arguments.process:
        config["credential_process"] = _process_command(arguments, name)
    else:
        config["credential_process"] = None
        credentials = {"aws_access_key_id": key.key_id, "aws_secret_access_key": key.secret}
    credentials["aws_session_token"] = None
    files = write_profile(name, credentials=credentials, config=config, overwrite=arguments.force)
    _say(f"profile {name} is now in {' and '.join(map(str, files))}")
    _prove(key)
    _say(f"use it: AWS_PROFILE={name} python scripts/send.py")


def _csv(arguments: argparse.Namespace) -> None:
    path = Path(arguments.file)
    if not arguments.file or path.is_dir():
        raise UsageError(f"{arguments.file!r} is no name for a file")
    if path.exists() and not arguments.force:
        raise HelloQueueError(f"{path} exists already: choose another file, or replace it with --force")
    key = _read(arguments)
    owner = _prove(key)
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["User Name", "Access key ID", "Secret access key"])
    writer.writerow([owner, key.key_id, key.secret])
    write_private(path, table.getvalue())
    _say(f"wrote {path}. AWS CLI v2 takes it: `aws configure import --csv file://{path.resolve()}`; then delete it")


def _export(arguments: argparse.Namespace) -> None:
    _refuse_terminal(arguments)
    key = _read(arguments)
    _prove(key)
    print(f"export AWS_ACCESS_KEY_ID={shlex.quote(key.key_id)}")
    print(f"export AWS_SECRET_ACCESS_KEY={shlex.quote(key.secret)}")
    print(f"export AWS_DEFAULT_REGION={shlex.quote(_region(arguments))}")
    print("unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE")


def _process(arguments: argparse.Namespace) -> None:
    """What an SDK calls for a profile with `credential_process`:
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
    """
    _refuse_terminal(arguments)
    if os.environ.get(_RUNNING):
        raise HelloQueueError(
            "this profile fetches its key with itself: name the profile to use instead with --as PROFILE"
        )
    os.environ[_RUNNING] = "1"
    # Of the process that wants the key; with it we would be asking ourselves.
    for variable in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(variable, None)
    key = _read(arguments)
    expiration = (datetime.now(timezone.utc) + KEY_LIFETIME).isoformat(timespec="seconds")
    answer = {"Version": 1, "AccessKeyId": key.key_id, "SecretAccessKey": key.secret, "Expiration": expiration}
    print(json.dumps(answer))


def _read(arguments: argparse.Namespace) -> AccessKey:
    if arguments.region:
        os.environ["AWS_DEFAULT_REGION"] = arguments.region
    secret = arguments.secret
    if secret is None:
        cloudformation = client("cloudformation", profile=arguments.as_profile)
        secret = secret_of(DeployedStack(cloudformation, IDENTITY_STACK, arguments.deployment))
    return read_access_key(client("secretsmanager", profile=arguments.as_profile), secret)


def _region(arguments: argparse.Namespace) -> str:
    """The region that the secret is read in; that there is one, the reading has shown."""
    return str(boto3.Session(profile_name=arguments.as_profile).region_name)


def _prove(key: AccessKey) -> str:
    """See that the key works, and say whose it is. Returns the user's name."""
    owner = owner_of(key)
    _say(f"the key {key.key_id} works: it is that of {owner}")
    return owner.rpartition("/")[2]


def _process_command(arguments: argparse.Namespace, name: str) -> str:
    source = arguments.as_profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
    if source == name:
        raise UsageError(f"profile {name} cannot fetch its key with itself: choose another name, or --as PROFILE")
    command = [sys.executable, str(Path(__file__).resolve()), "process"]
    command += ["--region", _region(arguments)]
    command += ["--as", source] if source else []
    command += ["--secret", arguments.secret] if arguments.secret else []
    command += ["--deployment", arguments.deployment] if arguments.deployment else []
    return shlex.join(command)


def _refuse_terminal(arguments: argparse.Namespace) -> None:
    if sys.stdout.isatty() and not arguments.show:
        raise UsageError("this would show the secret on your terminal: send it to a program, or say --show")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _parse() -> argparse.Namespace:
    options = parser(__doc__ or "", EXAMPLES)
    commands = options.add_subparsers(dest="command", required=True, metavar="COMMAND")
    profile = _command(commands, "profile", "write a profile into the AWS credentials and config files")
    profile.add_argument("name", help="the profile's name")
    profile.add_argument("--process", action="store_true", help="write how to fetch the key, not the key")
    as_csv = _command(commands, "csv", "write the .csv that the console offers for download")
    as_csv.add_argument("file", help="the file to write")
    for command in (profile, as_csv):
        command.add_argument("--force", action="store_true", help="replace what exists")
    for name, what in (("export", "print `export` lines for a shell"), ("process", "be a `credential_process`")):
        command = _command(commands, name, what)
        command.add_argument("--show", action="store_true", help="print the secret to a terminal too")
    return options.parse_args()


def _command(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what)
    command.add_argument("--deployment", metavar="NAME", default="", help="whose key (default: the one without a name)")
    command.add_argument("--secret", metavar="NAME", help="the secret, where you may not read the stack's outputs")
    command.add_argument("--region", metavar="NAME", help="where the secret is (default: as boto3 finds it)")
    command.add_argument("--as", dest="as_profile", metavar="PROFILE", help="read the secret with this profile")
    return command


if __name__ == "__main__":
    run(main)

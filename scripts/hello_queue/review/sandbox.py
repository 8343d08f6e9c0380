"""Runs code that nobody has reviewed yet: without the caller's variables, credentials and, where possible, network."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hello_queue.errors import UsageError
from hello_queue.project import environment_with_tools

TIME_LIMIT_SECONDS = 120
"""For all variants of one app. It takes 5 s, and 25 s the first time that the CDK runs on a machine."""

_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE")
_HIDDEN = (".aws", ".config", ".docker", ".git-credentials", ".gnupg", ".kube", ".netrc", ".npmrc", ".pypirc", ".ssh")
"""Where tools keep credentials in a home folder."""

_NAMESPACES = ("--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
_HIDE = """\
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mount -t tmpfs none "$1"; elif [ -e "$1" ]; then mount --bind /dev/null "$1"; fi || exit 1
  shift
done
shift
exec "$@"
"""


@functools.cache
def isolation(*, network: bool) -> tuple[str, ...]:
    """The command in front of the code under review, as strong as this machine allows; may be empty.

    In namespaces of its own, a process sees no network, no other process and none of the caller's credential files.
    """
    no_network = () if network else ("--net",)
    for options in ((*_NAMESPACES, *no_network), ("--map-root-user", *no_network) if no_network else ()):
        command = ("unshare", *options)
        try:
            if options and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                hidden = [str(Path.home() / name) for name in _HIDDEN]
                return (*command, "sh", "-c", _HIDE, "sh", *hidden, "--") if "--mount" in options else command
        except FileNotFoundError:
            break
    return ()


def run_python(
    arguments: Sequence[str], *, root: Path, directory: Path, variables: Mapping[str, str], stdin: str, network: bool
) -> str:
    """Run Python in a working tree, and return the last lines that it printed.

    Args:
        root: the working tree, whose own package is imported.
        directory: an empty folder for this run alone.
        variables: environment variables beside PATH and the language.

    Raises:
        UsageError: it takes longer than `TIME_LIMIT_SECONDS`.
    """
    home, log = directory / "home", directory / "log"
    home.mkdir()
    caller = environment_with_tools()
    environment = {
        **{name: caller[name] for name in _KEPT_VARIABLES if name in caller},
        **variables,
        "HOME": str(home),
        "PYTHONPATH": str(root / "scripts"),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Unpacked once, and then offline; it holds what the requirements install, and nothing of the caller.
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path.home() / ".cache/aws/jsii/package-cache"),
    }
    # Files instead of pipes, which a process that the app leaves behind would hold open.
    (directory / "stdin").write_text(stdin)
    with log.open("wb") as output, (directory / "stdin").open("rb") as given:
        process = subprocess.Popen(
            [*isolation(network=network), sys.executable, *arguments],
            cwd=root,
            env=environment,
            stdin=given,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(TIME_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise UsageError(f"the app takes longer than {TIME_LIMIT_SECONDS} s: it may wait for something") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return log.read_bytes()[-10_000:].decode(errors="replace")

"""Runs code that nobody has reviewed yet: without the caller's variables, credentials and, where possible, network."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from hello_queue.errors import UsageError
from hello_queue.project import environment_with_tools

TIME_LIMIT_SECONDS = 120
"""For all variants of one app. It takes 5 s, and 25 s the first time that the CDK runs on a machine."""

_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE")
_HIDDEN = (".aws", ".config", ".docker", ".git-credentials", ".gnupg", ".kube", ".netrc", ".npmrc", ".pypirc", ".ssh")
"""Where tools keep credentials in a home folder."""

_NAMESPACES = ("--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
_WITH_ITS_PARENT = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""A namespace ends with `unshare` (--kill-child), and so `unshare` must end with this process, however that ends."""
_CLOSE = """\
directory=$1 cache=$2; shift 2
mount --bind "$directory" "$directory" && mkdir -p "$directory/cache" "$directory/work" || exit 1
layers="lowerdir=$cache,upperdir=$directory/cache,workdir=$directory/work"
mount -t overlay overlay -o "$layers" "$cache" 2> /dev/null || mount --bind "$cache" "$cache" || exit 1
for mounted in $(cut -d' ' -f5 /proc/self/mountinfo); do
  case $mounted in "$directory"|"$cache"|/proc*|/dev*|/sys*) continue ;; esac
  mount -o remount,bind,ro "$mounted" 2> /dev/null
done
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mount -t tmpfs none "$1"; elif [ -e "$1" ]; then mount --bind /dev/null "$1"; fi || exit 1
  shift
done
shift
exec "$@"
"""
"""Makes all files read-only but those of the run and a layer over jsii's cache, and hides credentials."""


def isolation(directory: Path) -> list[str]:
    """The command in front of the code under review, as strong as this machine allows; may be empty.

    In namespaces of its own, a process has no network, sees no other process and none of the caller's credential files,
    and writes to its own directory only.
    """
    for options in (_NAMESPACES, ("--map-root-user", "--net")):
        command = [*_WITH_ITS_PARENT, "unshare", *options]
        if options is _NAMESPACES:
            hidden = [str(Path.home() / name) for name in _HIDDEN]
            command += ["sh", "-c", _CLOSE, "sh", str(directory.resolve()), str(_package_cache()), *hidden, "--"]
        try:
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command
        except FileNotFoundError:
            break
    return []


def run_python(
    arguments: Sequence[str], *, root: Path, directory: Path, variables: Mapping[str, str], stdin: str, isolated: bool
) -> str:
    """Run Python in a working tree, and return the last lines that it printed.

    Args:
        root: the working tree, whose own package is imported.
        directory: an empty folder for this run alone.
        variables: environment variables beside PATH and the language.
        isolated: whether to keep the caller's variables, network and files away from it.

    Raises:
        UsageError: it takes longer than `TIME_LIMIT_SECONDS`.
    """
    home, log = directory / "home", directory / "log"
    home.mkdir()
    caller = environment_with_tools()
    environment = {**variables, "PYTHONPATH": str(root / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
    if isolated:
        environment |= {name: caller[name] for name in _KEPT_VARIABLES if name in caller}
        environment |= {"HOME": str(home), "TMPDIR": str(home)}
        environment["JSII_RUNTIME_PACKAGE_CACHE_ROOT"] = str(_package_cache())
    else:
        environment = caller | environment
    # Files instead of pipes, which a process that the app leaves behind would hold open.
    (directory / "stdin").write_text(stdin)
    with log.open("wb") as output, (directory / "stdin").open("rb") as given:
        process = subprocess.Popen(
            [*(isolation(directory) if isolated else ()), sys.executable, *arguments],
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
            raise UsageError(
                f"the app takes longer than {TIME_LIMIT_SECONDS} s: it waits for something, or this machine is busy"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return log.read_bytes()[-10_000:].decode(errors="replace")


def _package_cache() -> Path:
    """Where jsii has unpacked the CDK, before code under review could do it in its own way."""
    cache = Path.home() / ".cache/aws/jsii/package-cache"
    if not (cache / "aws-cdk-lib" / metadata.version("aws-cdk-lib")).exists():
        subprocess.run([sys.executable, "-c", "import aws_cdk, cdk_nag"], capture_output=True, check=False)
    return cache

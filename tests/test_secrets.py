"""After a full run, the secrets are in the files that were asked for and nowhere else."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws


class ArgumentsSeen(threading.Thread):
    """Collects the arguments of all processes while it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._stopping = threading.Event()
        self.seen: set[bytes] = set()

    def run(self) -> None:
        while not self._stopping.wait(0.02):
            for process in os.scandir("/proc"):
                if not process.name.isdigit():
                    continue
                try:
                    self.seen.add(Path(process.path, "cmdline").read_bytes())
                except OSError:
                    continue

    def stop(self) -> set[bytes]:
        self._stopping.set()
        self.join()
        return self.seen


def files_below(*folders: Path) -> Iterator[Path]:
    skipped = {".venv", "node_modules", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__"}
    for folder in folders:
        for parent, names, files in os.walk(folder):
            names[:] = set(names) - skipped
            yield from (Path(parent, file) for file in files)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads arguments of processes from /proc")
def test_secrets_are_only_where_they_were_asked_for(empty_aws: Aws, tmp_path: Path) -> None:
    """Search what a run with all settings on has written, printed and passed as arguments."""
    watcher = ArgumentsSeen()
    watcher.start()
    runs = [empty_aws.cdk("deploy", "--verbose", run_app=True, console_access="true", second_access_key=2)]
    synthesized = f"--app={empty_aws.instance.directory}/cdk.out"
    runs += [empty_aws.run("cdk", "diff", "--all", synthesized)]
    scripts = (
        ("credentials.py", "profile", "queue"),
        ("credentials.py", "profile", "fetched", "--process"),
        ("credentials.py", "csv", str(tmp_path / "asked-for.csv")),
        ("send.py",),
        ("process.py", "--count", "1"),
        ("smoke_test.py", "--json"),
        ("smoke_test.py", "--longest-delay", "0"),
    )
    runs += [empty_aws.script(*script) for script in scripts]
    runs += [empty_aws.script("send.py", env={"AWS_PROFILE": "fetched"})]
    sm = empty_aws.client("secretsmanager")
    password = json.loads(sm.get_secret_value(SecretId="Administrator/console-password")["SecretString"])["Password"]
    found = [empty_aws.access_key()[1], password, empty_aws.instance.root.secret]
    runs += [empty_aws.run("cdk", "destroy", "--all", "--force", synthesized)]
    arguments = watcher.stop()

    printed = "".join(run.stdout + run.stderr for run in runs)
    holders: dict[str, set[Path]] = {secret: set() for secret in found}
    searched = 0
    for path in files_below(tmp_path, empty_aws.instance.directory, ROOT):
        content = path.read_bytes()
        searched += 1
        for secret in found:
            if secret.encode() in content:
                holders[secret].add(path)
    assert searched > 50
    assert len(arguments) > 10
    for secret in found:
        assert secret not in printed
        assert not any(secret.encode() in each for each in arguments)
    credentials = Path(empty_aws.instance.variables["AWS_SHARED_CREDENTIALS_FILE"])
    assert holders == {found[0]: {credentials, tmp_path / "asked-for.csv"}, found[1]: set(), found[2]: {credentials}}

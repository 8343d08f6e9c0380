"""Code that nobody has reviewed runs without the caller's variables, files and network, and cannot hold up a review."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hello_queue.errors import UsageError
from hello_queue.review import sandbox
from hello_queue.review.sandbox import isolation, run_python

SPY = """
import json, os, pathlib, socket
seen = {"environment": dict(os.environ), "home": os.listdir(os.path.expanduser("~"))}
for name, path in {"credentials": SECRET, "caller": f"/proc/{PARENT}/environ"}.items():
    try:
        seen[name] = pathlib.Path(path).read_text()
    except OSError as error:
        seen[name] = type(error).__name__
try:
    socket.create_connection(("127.0.0.1", PORT), timeout=5).close()
    seen["network"] = True
except OSError:
    seen["network"] = False
try:
    pathlib.Path(OTHER).write_text("x")
except OSError as error:
    seen["write"] = type(error).__name__
print(json.dumps(seen))
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    directory = tmp_path / "run"
    directory.mkdir()
    return directory


def spy(tmp_path: Path, run: Path, **values: object) -> dict[str, object]:
    script = tmp_path / "spy.py"
    settings = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    script.write_text(settings + SPY)
    printed = run_python([str(script)], root=tmp_path, directory=run, variables={"A": "b"}, stdin="", isolated=True)
    seen: dict[str, object] = json.loads(printed)
    return seen


def test_nothing_of_the_caller_is_seen(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "caller"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws/credentials").write_text("[default]")
    (home / ".cache").symlink_to(Path.home() / ".cache")
    monkeypatch.setenv("HOME", str(home))
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.setenv(name, "a secret of the caller")
    # Only what holds everywhere; the next test has what namespaces add.
    with socket.create_server(("127.0.0.1", 0)) as server:
        seen = spy(tmp_path, run, SECRET=str(home / "x"), PARENT=0, PORT=server.getsockname()[1], OTHER=str(run / "x"))
    assert "a secret of the caller" not in json.dumps(seen)
    assert str(home) not in str(seen["environment"]).replace(sandbox_cache(home), "")
    assert seen["home"] == []


def sandbox_cache(home: Path) -> str:
    return f"{home}/.cache/aws/jsii/package-cache"


def test_namespaces_close_the_rest(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credential file, no environment of another process, no network, and nothing to write to outside its folder."""
    if "--mount" not in isolation(run):
        pytest.skip("this machine does not allow namespaces")
    home = tmp_path / "caller"
    (home / ".aws").mkdir(parents=True)
    secret = home / ".aws/credentials"
    secret.write_text("[default]")
    package_cache = home / ".cache/aws/jsii/package-cache"
    package_cache.parent.mkdir(parents=True)
    package_cache.mkdir()
    monkeypatch.setattr(sandbox, "_package_cache", lambda: package_cache)
    monkeypatch.setenv("HOME", str(home))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port, other = server.getsockname()[1], tmp_path / "other"
        seen = spy(tmp_path, run, SECRET=str(secret), PARENT=os.getpid(), PORT=port, OTHER=str(other))
    assert seen["credentials"] == "FileNotFoundError"
    assert seen["caller"] == "FileNotFoundError"
    assert seen["network"] is False
    assert seen["write"] == "OSError", "a read-only file system"
    assert not other.exists()
    assert secret.exists(), "hidden from the code under review only"


def test_a_run_that_hangs_is_killed_with_what_it_started(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "TIME_LIMIT_SECONDS", 1)
    script = tmp_path / "hang.py"
    script.write_text("import subprocess\nsubprocess.run(['sleep', '987654'])")
    started = time.monotonic()
    with pytest.raises(UsageError, match="the app takes longer than 1 s"):
        run_python([str(script)], root=tmp_path, directory=run, variables={}, stdin="", isolated=True)
    assert time.monotonic() - started < 30
    while any(b"987654" in command_line(path) for path in Path("/proc").glob("[0-9]*/cmdline")):
        assert time.monotonic() - started < 30
        time.sleep(0.05)


def test_a_run_ends_with_whoever_started_it(tmp_path: Path, run: Path) -> None:
    """Also if that is killed, and cannot end it."""
    if "setpriv" not in isolation(run):
        pytest.skip("this machine does not allow namespaces, or has no setpriv")
    script = tmp_path / "hang.py"
    script.write_text("import subprocess\nsubprocess.run(['sleep', '987655'], start_new_session=True)")
    code = f"""
from pathlib import Path
from hello_queue.review.sandbox import run_python
run_python([{str(script)!r}], root=Path("/"), directory=Path({str(run)!r}), variables={{}}, stdin="", isolated=True)
"""
    caller = subprocess.Popen([sys.executable, "-c", code])
    while not any(b"987655" in command_line(path) for path in Path("/proc").glob("[0-9]*/cmdline")):
        assert caller.poll() is None
        time.sleep(0.05)
    caller.kill()
    caller.wait()
    until = time.monotonic() + 10
    while any(b"987655" in command_line(path) for path in Path("/proc").glob("[0-9]*/cmdline")):
        assert time.monotonic() < until
        time.sleep(0.05)


def command_line(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""

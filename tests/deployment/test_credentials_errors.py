"""credentials.py on bad input and missing permissions: one line, and no secret in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.deployment.conftest import credentials, one_line, store_key


def test_a_profile_cannot_fetch_its_key_with_itself(aws: Aws, files: dict[str, str]) -> None:
    asked = credentials(aws, "profile", "default", "--process", "--as", "default", check=False, env=files)
    assert "cannot fetch its key with itself" in one_line(asked, 2)
    command = f"{sys.executable} {ROOT}/scripts/credentials.py process"
    Path(files["AWS_CONFIG_FILE"]).write_text(f"[default]\ncredential_process = {command}\n")
    Path(files["AWS_SHARED_CREDENTIALS_FILE"]).write_text("")
    assert "fetches its key with itself" in one_line(aws.script("send.py", check=False, env=files), 1)


def as_nobody(aws: Aws, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run credentials.py as a user that is bound by file modes, as root is not."""
    if os.geteuid() != 0:
        return credentials(aws, *arguments, check=False, env=env)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return aws.run(*nobody, sys.executable, "scripts/credentials.py", *arguments, check=False, env=env)


@pytest.fixture
def open_files(aws: Aws, files: dict[str, str]) -> Iterator[dict[str, str]]:
    """The files and the certificate authority, readable by every user."""
    changed = []
    for path in [files["AWS_SHARED_CREDENTIALS_FILE"], aws.instance.variables["AWS_CA_BUNDLE"]]:
        for each in [Path(path), *Path(path).parents]:
            if each.stat().st_mode & 0o005 != 0o005:
                changed.append((each, each.stat().st_mode))
                each.chmod(each.stat().st_mode | 0o005)
    yield files
    for each, before in changed:
        each.chmod(before)


@pytest.mark.skipif(shutil.which("setpriv") is None and os.geteuid() == 0, reason="root may write everywhere")
def test_missing_file_permissions_are_one_line(aws: Aws, open_files: dict[str, str], tmp_path: Path) -> None:
    try:
        works = as_nobody(aws, "export", env=open_files)
    except OSError as error:
        pytest.skip(f"no other user can run this Python: {error}")
    if works.returncode:
        pytest.skip(f"no other user can run this Python: {works.stderr}")
    for arguments, said in (
        (("csv", str(tmp_path / "aws/key.csv")), "cannot be written: Permission denied"),
        (("profile", "queue"), "cannot be written: Permission denied"),
    ):
        done = as_nobody(aws, *arguments, env=open_files)
        assert said in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
        assert done.returncode == 1
    unreadable = tmp_path / "aws/config"
    unreadable.write_text("")
    unreadable.chmod(0)
    done = as_nobody(aws, "profile", "queue", "--secret", "Administrator/access-key", env=open_files)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("file", ["", ".", "no/such/folder/key.csv"])
def test_a_csv_file_that_cannot_be(aws: Aws, files: dict[str, str], file: str) -> None:
    """Its folder is not created: a typing error would put the key where nobody looks."""
    done = credentials(aws, "csv", file, check=False, env=files)
    assert done.returncode in (1, 2)
    assert "is not the name of a file" in done.stderr or "cannot be written: No such file" in done.stderr
    assert not (ROOT / "no").exists()


def test_a_file_where_a_folder_belongs(aws: Aws, files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = credentials(aws, "csv", str(tmp_path / "file/key.csv"), check=False, env=files)
    assert "cannot be written" in done.stderr.splitlines()[-1]
    assert done.returncode == 1


def test_an_invalid_file_is_not_quoted(aws: Aws, files: dict[str, str]) -> None:
    Path(files["AWS_SHARED_CREDENTIALS_FILE"]).write_text("aws_secret_access_key = PRECIOUS\n")
    key = aws.instance.root
    root = {"AWS_ACCESS_KEY_ID": key.key_id, "AWS_SECRET_ACCESS_KEY": key.secret}
    done = credentials(aws, "profile", "queue", check=False, env={**files, **root})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "PRECIOUS" not in done.stderr


def test_a_secret_that_is_missing_invalid_or_denied(
    aws: Aws, files: dict[str, str], new_user: Callable[..., dict[str, str]]
) -> None:
    done = credentials(aws, "export", "--secret", "nope", check=False, env=files)
    assert "there is no secret nope" in one_line(done, 1)
    done = credentials(aws, "export", "--deployment", "nope", check=False, env=files)
    assert "there is no stack nope-HelloQueueIdentity" in one_line(done, 1)

    sm = aws.client("secretsmanager")
    for number, text in enumerate(["PRECIOUS", "[]", '{"AccessKeyId": "PRECIOUS"}']):
        sm.create_secret(Name=f"odd-{number}", SecretString=text)
        done = credentials(aws, "export", "--secret", f"odd-{number}", check=False, env=files)
        assert "is not an access key" in one_line(done, 1)
        assert "PRECIOUS" not in done.stderr

    done = credentials(aws, "export", "--secret", "Administrator/access-key", check=False, env=new_user("reader"))
    assert "secretsmanager:GetSecretValue" in one_line(done, 1)


def test_a_key_that_does_not_work_is_not_written(aws: Aws, files: dict[str, str], tmp_path: Path) -> None:
    store_key(aws, "wrong", {"AWS_ACCESS_KEY_ID": aws.instance.root.key_id, "AWS_SECRET_ACCESS_KEY": "wrong"})
    for command in (("csv", str(tmp_path / "key.csv")), ("profile", "wrong")):
        done = credentials(aws, *command, "--secret", "wrong", check=False, env=files)
        assert "SignatureDoesNotMatch" in one_line(done, 1)
    assert not (tmp_path / "key.csv").exists()
    assert not Path(files["AWS_CONFIG_FILE"]).exists()


def test_a_fifo_is_not_replaced(aws: Aws, files: dict[str, str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    done = credentials(aws, "csv", str(tmp_path / "fifo"), "--force", check=False, env=files)
    assert "is not a regular file" in done.stderr
    assert done.returncode == 1

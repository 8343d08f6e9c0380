"""credentials.py: the key where it is asked for and nowhere else, for its owner alone, whole or not at all."""

from __future__ import annotations

import configparser
import csv
import json
import os
import pty
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hello_queue.deployment.profiles import write_profile
from hello_queue.project import ROOT
from tests.conftest import Aws


@pytest.fixture
def secret(aws: Aws) -> dict[str, str]:
    """The access key as it is in Secrets Manager."""
    return dict(zip(("AccessKeyId", "SecretAccessKey"), aws.access_key(), strict=True))


@pytest.fixture
def files(aws: Aws, tmp_path: Path) -> dict[str, str]:
    """AWS files of the test's own, with the root key as the default profile."""
    credentials = tmp_path / "aws/credentials"
    credentials.parent.mkdir()
    shutil.copy(aws.instance.variables["AWS_SHARED_CREDENTIALS_FILE"], credentials)
    return {"AWS_SHARED_CREDENTIALS_FILE": str(credentials), "AWS_CONFIG_FILE": str(tmp_path / "aws/config")}


def mode(path: str | Path) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def values(path: str, section: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(allow_no_value=True)
    parser.read(path)
    return dict(parser[section])


def one_line(done: subprocess.CompletedProcess[str], status: int) -> str:
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


def test_from_deploy_to_send_in_one_command(aws: Aws, files: dict[str, str], secret: dict[str, str]) -> None:
    done = aws.script("credentials.py", "profile", "queue", env=files)
    assert done.stdout == ""
    assert "it is that of arn:aws:iam::111122223333:user/Administrator" in done.stderr
    assert secret["SecretAccessKey"] not in done.stderr
    aws.script("send.py", env={**files, "AWS_PROFILE": "queue"})
    aws.script("process.py", "--count", "1", env={**files, "AWS_PROFILE": "queue"})
    assert values(files["AWS_SHARED_CREDENTIALS_FILE"], "queue") == {
        "aws_access_key_id": secret["AccessKeyId"],
        "aws_secret_access_key": secret["SecretAccessKey"],
    }
    assert values(files["AWS_CONFIG_FILE"], "profile queue") == {"region": "us-east-1"}
    assert {mode(path) for path in files.values()} == {0o600}


def test_the_aws_cli_accepts_the_profile(aws: Aws, files: dict[str, str], aws_cli: str) -> None:
    aws.script("credentials.py", "profile", "queue", env=files)
    aws.script("credentials.py", "profile", "fetched", "--process", env=files)
    endpoint = aws.instance.variables["AWS_ENDPOINT_URL"]
    for profile in ("queue", "fetched"):
        call = [aws_cli, "--endpoint-url", endpoint, "--profile", profile, "sts", "get-caller-identity"]
        assert json.loads(aws.run(*call, env=files).stdout)["Arn"].endswith(":user/Administrator")


def test_the_aws_cli_imports_the_csv(
    aws: Aws, files: dict[str, str], secret: dict[str, str], tmp_path: Path, aws_cli: str
) -> None:
    table = tmp_path / "key.csv"
    aws.script("credentials.py", "csv", str(table), env=files)
    aws.run(aws_cli, "configure", "import", "--csv", f"file://{table}", env=files)
    imported = values(files["AWS_SHARED_CREDENTIALS_FILE"], "Administrator")
    assert imported["aws_secret_access_key"] == secret["SecretAccessKey"]


def test_the_csv_is_the_consoles(aws: Aws, files: dict[str, str], secret: dict[str, str], tmp_path: Path) -> None:
    table = tmp_path / "key.csv"
    done = aws.script("credentials.py", "csv", str(table), env=files)
    assert secret["SecretAccessKey"] not in done.stdout + done.stderr
    (row,) = csv.DictReader(table.open())
    assert list(row) == ["User Name", "Access key ID", "Secret access key"]
    assert list(row.values()) == ["Administrator", *secret.values()]
    assert mode(table) == 0o600
    table.write_text("mine")
    assert "exists already" in one_line(aws.script("credentials.py", "csv", str(table), check=False, env=files), 1)
    assert table.read_text() == "mine"
    aws.script("credentials.py", "csv", str(table), "--force", env=files)
    assert table.read_text() != "mine"


def test_exports_for_a_shell(aws: Aws, files: dict[str, str], secret: dict[str, str]) -> None:
    shell = 'eval "$(python scripts/credentials.py export)" && printenv AWS_SECRET_ACCESS_KEY && python scripts/send.py'
    done = aws.run("sh", "-c", shell, env={**files, "AWS_SESSION_TOKEN": "left over", "AWS_PROFILE": "default"})
    assert done.stdout.startswith(f"{secret['SecretAccessKey']}\nSent message ")
    assert secret["SecretAccessKey"] not in done.stderr


def test_a_profile_that_stores_nothing(aws: Aws, files: dict[str, str], secret: dict[str, str]) -> None:
    aws.script("credentials.py", "profile", "fetched", "--process", env=files)
    aws.script("send.py", env={**files, "AWS_PROFILE": "fetched"})
    for path in files.values():
        assert secret["SecretAccessKey"] not in Path(path).read_text()
    answer = json.loads(aws.script("credentials.py", "process", env={**files, "AWS_PROFILE": "fetched"}).stdout)
    assert answer["Version"] == 1
    assert {key: answer[key] for key in secret} == secret


def test_a_profile_that_would_fetch_from_itself(aws: Aws, files: dict[str, str]) -> None:
    asked = aws.script("credentials.py", "profile", "default", "--process", "--as", "default", check=False, env=files)
    assert "cannot fetch its key with itself" in one_line(asked, 2)
    command = f"{sys.executable} {ROOT}/scripts/credentials.py process"
    Path(files["AWS_CONFIG_FILE"]).write_text(f"[default]\ncredential_process = {command}\n")
    Path(files["AWS_SHARED_CREDENTIALS_FILE"]).write_text("")
    assert "fetches its key with itself" in one_line(aws.script("send.py", check=False, env=files), 1)


OTHERS = """\
# Mine, do not touch
[default]
aws_access_key_id = LOCALROOT
aws_secret_access_key=a=b%c ; no comment

[work]   ; the other one
    aws_access_key_id : X
s3 =
    max_concurrent_requests = 20
    # nested
flag

[queue]
aws_access_key_id = OLD
aws_session_token = OLD
region = eu-west-1
# about nothing
[last]
x = 1"""


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", OTHERS, OTHERS.replace("\n", "\r\n")])
def test_other_profiles_comments_and_order_stay(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "credentials"
    path.write_bytes(text.encode())
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    new = {"aws_access_key_id": "NEW", "aws_secret_access_key": "NEW/+=", "aws_session_token": None}
    write_profile("queue", credentials=new, config={"region": "eu-north-1"}, overwrite=True)
    after = path.read_bytes().decode()
    ours = ("aws_access_key_id = OLD", "aws_session_token = OLD")
    untouched = [line for line in text.splitlines() if line not in ours]
    assert [line for line in after.splitlines() if line in untouched and line] == [line for line in untouched if line]
    section = values(str(path), "queue")
    assert {key: section.get(key) for key in new} == new
    assert values(str(tmp_path / "config"), "profile queue") == {"region": "eu-north-1"}
    write_profile("queue", credentials=new, config={"region": "eu-north-1"}, overwrite=False)
    assert path.read_bytes().decode() == after


def test_an_existing_profile_is_replaced_only_when_told(aws: Aws, files: dict[str, str]) -> None:
    path = Path(files["AWS_SHARED_CREDENTIALS_FILE"])
    path.write_text(path.read_text() + "[queue]\naws_access_key_id = MINE\n")
    before = path.read_text()
    refused = aws.script("credentials.py", "profile", "queue", check=False, env=files)
    assert "--force" in one_line(refused, 1)
    assert path.read_text() == before
    assert not Path(files["AWS_CONFIG_FILE"]).exists()
    aws.script("credentials.py", "profile", "queue", "--force", env=files)
    assert values(str(path), "queue")["aws_access_key_id"] != "MINE"


@pytest.mark.parametrize("line", ["role_arn = arn:aws:iam::111122223333:role/x", "sso_session = x"])
def test_a_profile_that_is_somebody_elses(aws: Aws, files: dict[str, str], line: str) -> None:
    """With such a line the key that is written would not be the one that is used."""
    config = Path(files["AWS_CONFIG_FILE"])
    config.write_text(f"[profile queue]\n{line}\n")
    assert "--force" in one_line(aws.script("credentials.py", "profile", "queue", check=False, env=files), 1)
    aws.script("credentials.py", "profile", "queue", "--force", env=files)
    assert values(str(config), "profile queue") == {"region": "us-east-1"}


def test_a_profile_that_fetches_knows_its_region(aws: Aws, files: dict[str, str]) -> None:
    aws.script("credentials.py", "profile", "fetched", "--process", env=files)
    bare = {**files, "AWS_PROFILE": "fetched", "AWS_REGION": None, "AWS_DEFAULT_REGION": None}
    aws.script("send.py", env=bare)


def test_a_fifo_is_not_replaced(aws: Aws, files: dict[str, str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    done = aws.script("credentials.py", "csv", str(tmp_path / "fifo"), "--force", check=False, env=files)
    assert "is no regular file" in done.stderr
    assert done.returncode == 1


def test_a_region_of_ones_own_is_not_replaced_either(aws: Aws, files: dict[str, str]) -> None:
    Path(files["AWS_CONFIG_FILE"]).write_text("[profile queue]\nregion = eu-west-1\n")
    assert "--force" in one_line(aws.script("credentials.py", "profile", "queue", check=False, env=files), 1)


def test_a_link_stays_a_link(aws: Aws, files: dict[str, str], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("# here\n")
    config = Path(files["AWS_CONFIG_FILE"])
    config.symlink_to(elsewhere)
    aws.script("credentials.py", "profile", "queue", env=files)
    assert config.is_symlink()
    assert "region = us-east-1" in elsewhere.read_text()


def test_secrets_do_not_go_to_a_terminal(aws: Aws, secret: dict[str, str]) -> None:
    def on_terminal(*arguments: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        command = [sys.executable, "scripts/credentials.py", *arguments]
        process = subprocess.Popen(
            command, cwd=ROOT, env=aws.instance.environment(), stdout=theirs, stderr=subprocess.PIPE, text=True
        )
        _, said = process.communicate(timeout=60)
        os.close(theirs)
        try:
            shown = os.read(ours, 10_000).decode()
        except OSError:
            shown = ""
        os.close(ours)
        return process.returncode, said + shown

    for command in ("export", "process"):
        status, shown = on_terminal(command)
        assert status == 2
        assert "--show" in shown
        assert secret["SecretAccessKey"] not in shown
        status, shown = on_terminal(command, "--show")
        assert status == 0
        assert secret["SecretAccessKey"] in shown


@pytest.mark.parametrize("name", ["", "a b", "a]b", "ä", "x" * 129, "a\nb"])
def test_profile_names(aws: Aws, files: dict[str, str], name: str) -> None:
    done = aws.script("credentials.py", "profile", name, check=False, env=files)
    assert "a profile's name is 1 to 128" in one_line(done, 2)


def as_nobody(aws: Aws, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As a user for whom file modes count, which they do not for root."""
    if os.geteuid() != 0:
        return aws.script("credentials.py", *arguments, check=False, env=env)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return aws.run(*nobody, sys.executable, "scripts/credentials.py", *arguments, check=False, env=env)


@pytest.fixture
def open_files(aws: Aws, files: dict[str, str]) -> Iterator[dict[str, str]]:
    """The files, readable to everybody, in folders that everybody may enter; the certificates too."""
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
def test_what_cannot_be_written_or_read_is_one_line(aws: Aws, open_files: dict[str, str], tmp_path: Path) -> None:
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
def test_a_csv_in_no_place(aws: Aws, files: dict[str, str], file: str) -> None:
    """A folder is not made for it: a slip of the pen would put the key where nobody looks."""
    done = aws.script("credentials.py", "csv", file, check=False, env=files)
    assert done.returncode in (1, 2)
    assert "is no name for a file" in done.stderr or "cannot be written: No such file" in done.stderr
    assert not (ROOT / "no").exists()


def test_a_file_in_the_way(aws: Aws, files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = aws.script("credentials.py", "csv", str(tmp_path / "file/key.csv"), check=False, env=files)
    assert "cannot be written" in done.stderr.splitlines()[-1]
    assert done.returncode == 1


def test_a_file_that_makes_no_sense(aws: Aws, files: dict[str, str]) -> None:
    Path(files["AWS_SHARED_CREDENTIALS_FILE"]).write_text("aws_secret_access_key = PRECIOUS\n")
    key = aws.instance.root
    root = {"AWS_ACCESS_KEY_ID": key.key_id, "AWS_SECRET_ACCESS_KEY": key.secret}
    done = aws.script("credentials.py", "profile", "queue", check=False, env={**files, **root})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "PRECIOUS" not in done.stderr


def test_a_secret_that_is_not_there_or_not_for_us(aws: Aws, files: dict[str, str]) -> None:
    done = aws.script("credentials.py", "export", "--secret", "nope", check=False, env=files)
    assert "there is no secret nope" in one_line(done, 1)
    done = aws.script("credentials.py", "export", "--deployment", "nope", check=False, env=files)
    assert "there is no stack nope-HelloQueueIdentity" in one_line(done, 1)

    sm = aws.client("secretsmanager")
    for number, text in enumerate(["PRECIOUS", "[]", '{"AccessKeyId": "PRECIOUS"}']):
        sm.create_secret(Name=f"odd-{number}", SecretString=text)
        done = aws.script("credentials.py", "export", "--secret", f"odd-{number}", check=False, env=files)
        assert "is no access key" in one_line(done, 1)
        assert "PRECIOUS" not in done.stderr

    iam = aws.client("iam")
    iam.create_user(UserName="reader")
    created = iam.create_access_key(UserName="reader")["AccessKey"]
    key = {"AWS_ACCESS_KEY_ID": created["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": created["SecretAccessKey"]}
    done = aws.script("credentials.py", "export", "--secret", "Administrator/access-key", check=False, env=key)
    assert "secretsmanager:GetSecretValue" in one_line(done, 1)
    iam.delete_access_key(UserName="reader", AccessKeyId=created["AccessKeyId"])
    iam.delete_user(UserName="reader")


def test_a_key_that_does_not_work_is_said(aws: Aws, files: dict[str, str], tmp_path: Path) -> None:
    value = json.dumps({"AccessKeyId": aws.instance.root.key_id, "SecretAccessKey": "wrong"})
    aws.client("secretsmanager").create_secret(Name="wrong", SecretString=value)
    done = aws.script("credentials.py", "csv", str(tmp_path / "k.csv"), "--secret", "wrong", check=False, env=files)
    assert "SignatureDoesNotMatch" in one_line(done, 1)


KILL_ME = """
import os, signal, sys
sys.path.insert(0, "scripts")
from pathlib import Path
from hello_queue.deployment.profiles import write_profile
moment, passed = int(sys.argv[1]), 0
def tracer(frame, event, argument):
    global passed
    if event == "line" and "/deployment/" in frame.f_code.co_filename:
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)
    return tracer
sys.settrace(tracer)
new = {"aws_access_key_id": "NEW", "aws_secret_access_key": "NEW" * 1000}
write_profile("queue", credentials=new, config={"region": "new"}, overwrite=True)
"""


def test_killed_at_any_line_it_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """Killed after every single line of ours in turn, until it gets through."""
    old = "[default]\naws_access_key_id = OLD\n\n[queue]\naws_access_key_id = OLD\n"
    paths = {"AWS_SHARED_CREDENTIALS_FILE": tmp_path / "credentials", "AWS_CONFIG_FILE": tmp_path / "config"}
    seen: list[set[str]] = [set(), set()]
    for moment in range(1, 1000):
        for path in paths.values():
            path.write_text(old)
        environment = {**os.environ, **{name: str(path) for name, path in paths.items()}}
        command = [sys.executable, "-c", KILL_ME, str(moment)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        for number, path in enumerate(paths.values()):
            seen[number].add(path.read_text())
        for leftover in tmp_path.glob(".*.partial"):
            assert mode(leftover) == 0o600
            leftover.unlink()
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    else:
        pytest.fail("it never got through")
    assert moment > 50
    assert [len(texts) for texts in seen] == [2, 2]
    assert all(old in texts for texts in seen)


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    old, young = tmp_path / ".credentials.a.partial", tmp_path / ".credentials.b.partial"
    for path in (old, young):
        path.write_text("secret")
    os.utime(old, (0, 0))
    write_profile("queue", credentials={"aws_access_key_id": "NEW"}, config={}, overwrite=False)
    assert not old.exists()
    assert young.exists(), "it may be another process's work"


def test_two_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    environment = {**os.environ, "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    environment["AWS_CONFIG_FILE"] = str(tmp_path / "config")
    running = [subprocess.Popen([sys.executable, "-c", KILL_ME, "0"], cwd=ROOT, env=environment) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert values(environment["AWS_SHARED_CREDENTIALS_FILE"], "queue")["aws_access_key_id"] == "NEW"
    assert list(tmp_path.glob(".*")) == []

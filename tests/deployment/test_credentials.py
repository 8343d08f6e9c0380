"""credentials.py writes the key where it is asked to and nowhere else, for its owner only."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.deployment.conftest import credentials, mode, one_line, store_key, values


def test_from_deploy_to_send_in_one_command(aws: Aws, files: dict[str, str], secret: dict[str, str]) -> None:
    done = aws.script("credentials.py", "profile", "queue", env=files)
    assert done.stdout == ""
    assert "it belongs to arn:aws:iam::111122223333:user/Administrator" in done.stderr
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
    credentials(aws, "profile", "queue", env=files)
    credentials(aws, "profile", "fetched", "--process", env=files)
    endpoint = aws.instance.variables["AWS_ENDPOINT_URL"]
    for profile in ("queue", "fetched"):
        call = [aws_cli, "--endpoint-url", endpoint, "--profile", profile, "sts", "get-caller-identity"]
        assert json.loads(aws.run(*call, env=files).stdout)["Arn"].endswith(":user/Administrator")


def test_the_aws_cli_imports_the_csv(
    aws: Aws, files: dict[str, str], secret: dict[str, str], tmp_path: Path, aws_cli: str
) -> None:
    table = tmp_path / "key.csv"
    credentials(aws, "csv", str(table), env=files)
    aws.run(aws_cli, "configure", "import", "--csv", f"file://{table}", env=files)
    imported = values(files["AWS_SHARED_CREDENTIALS_FILE"], "Administrator")
    assert imported["aws_secret_access_key"] == secret["SecretAccessKey"]


def test_the_csv_is_the_consoles(aws: Aws, files: dict[str, str], secret: dict[str, str], tmp_path: Path) -> None:
    table = tmp_path / "key.csv"
    done = credentials(aws, "csv", str(table), env=files)
    assert secret["SecretAccessKey"] not in done.stdout + done.stderr
    (row,) = csv.DictReader(table.open())
    assert list(row) == ["User Name", "Access key ID", "Secret access key"]
    assert list(row.values()) == ["Administrator", *secret.values()]
    assert mode(table) == 0o600
    table.write_text("mine")
    assert "already exists" in one_line(credentials(aws, "csv", str(table), check=False, env=files), 1)
    assert table.read_text() == "mine"
    credentials(aws, "csv", str(table), "--force", env=files)
    assert table.read_text() != "mine"


def test_exports_for_a_shell(aws: Aws, files: dict[str, str], secret: dict[str, str]) -> None:
    shell = 'eval "$(python scripts/credentials.py export)" && printenv AWS_SECRET_ACCESS_KEY && python scripts/send.py'
    done = aws.run("sh", "-c", shell, env={**files, "AWS_SESSION_TOKEN": "left over", "AWS_PROFILE": "default"})
    assert done.stdout.startswith(f"{secret['SecretAccessKey']}\nSent message ")
    assert secret["SecretAccessKey"] not in done.stderr


def test_a_profile_with_process_stores_no_key(aws: Aws, files: dict[str, str], secret: dict[str, str]) -> None:
    credentials(aws, "profile", "fetched", "--process", env=files)
    aws.script("send.py", env={**files, "AWS_PROFILE": "fetched"})
    for path in files.values():
        assert secret["SecretAccessKey"] not in Path(path).read_text()
    answer = json.loads(credentials(aws, "process", env={**files, "AWS_PROFILE": "fetched"}).stdout)
    assert answer["Version"] == 1
    assert {key: answer[key] for key in secret} == secret


def test_an_existing_profile_is_replaced_only_with_force(aws: Aws, files: dict[str, str]) -> None:
    path = Path(files["AWS_SHARED_CREDENTIALS_FILE"])
    path.write_text(path.read_text() + "[queue]\naws_access_key_id = MINE\n")
    before = path.read_text()
    refused = credentials(aws, "profile", "queue", check=False, env=files)
    assert "--force" in one_line(refused, 1)
    assert path.read_text() == before
    assert not Path(files["AWS_CONFIG_FILE"]).exists()
    credentials(aws, "profile", "queue", "--force", env=files)
    assert values(str(path), "queue")["aws_access_key_id"] != "MINE"


@pytest.mark.parametrize("line", ["role_arn = arn:aws:iam::111122223333:role/x", "sso_session = x"])
def test_a_profile_with_another_source_of_credentials(aws: Aws, files: dict[str, str], line: str) -> None:
    """With such a line, an SDK would not use the key."""
    config = Path(files["AWS_CONFIG_FILE"])
    config.write_text(f"[profile queue]\n{line}\n")
    assert "--force" in one_line(credentials(aws, "profile", "queue", check=False, env=files), 1)
    credentials(aws, "profile", "queue", "--force", env=files)
    assert values(str(config), "profile queue") == {"region": "us-east-1"}


def test_a_profile_with_process_has_a_region(aws: Aws, files: dict[str, str]) -> None:
    credentials(aws, "profile", "fetched", "--process", env=files)
    bare = {**files, "AWS_PROFILE": "fetched", "AWS_REGION": None, "AWS_DEFAULT_REGION": None}
    aws.script("send.py", env=bare)


def test_another_region_is_replaced_only_with_force(aws: Aws, files: dict[str, str]) -> None:
    Path(files["AWS_CONFIG_FILE"]).write_text("[profile queue]\nregion = eu-west-1\n")
    assert "--force" in one_line(credentials(aws, "profile", "queue", check=False, env=files), 1)


def test_a_symbolic_link_stays(aws: Aws, files: dict[str, str], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("# here\n")
    config = Path(files["AWS_CONFIG_FILE"])
    config.symlink_to(elsewhere)
    credentials(aws, "profile", "queue", env=files)
    assert config.is_symlink()
    assert "region = us-east-1" in elsewhere.read_text()


def test_secrets_go_to_a_terminal_only_with_show(aws: Aws, secret: dict[str, str]) -> None:
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

    for command in (("export",), ("process",), ("csv", "-")):
        status, shown = on_terminal(*command)
        assert status == 2
        assert "--show" in shown
        assert secret["SecretAccessKey"] not in shown
        status, shown = on_terminal(*command, "--show")
        assert status == 0
        assert secret["SecretAccessKey"] in shown


def advised(done: subprocess.CompletedProcess[str]) -> str:
    """The command that credentials.py advises."""
    found = re.search(r"^use it: (.+)$", done.stderr, re.MULTILINE)
    assert found, done.stderr
    return found[1]


@pytest.fixture
def staging(aws: Aws) -> Iterator[None]:
    with aws.deployed(deployment="staging", administrator_access="false", delay_seconds=0):
        yield


@pytest.mark.usefixtures("staging")
def test_the_advised_command_sends_to_the_queue_of_the_deployment(aws: Aws, files: dict[str, str]) -> None:
    """Also with other keys in the environment, which boto3 prefers to AWS_PROFILE."""
    root = aws.instance.root
    keys = {"AWS_ACCESS_KEY_ID": root.key_id, "AWS_SECRET_ACCESS_KEY": root.secret}
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="staging-test")["QueueUrl"]
    for env in (files, {**files, **keys}):
        done = credentials(aws, "profile", "stg", "--deployment", "staging", env=env)
        command = advised(done)
        assert "--queue staging-test" in command
        assert aws.run("sh", "-c", command, env=env).stdout.startswith("Sent message ")
        (sent,) = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["SenderId"])["Messages"]
        assert "env -u AWS_ACCESS_KEY_ID" in command or env is files
        shown = command.replace("scripts/send.py --queue staging-test", "scripts/status.py --queue staging-test")
        assert "staging-Administrator" in aws.run("sh", "-c", shown, env=env, check=False).stderr
        sqs.delete_message(QueueUrl=url, ReceiptHandle=sent["ReceiptHandle"])


def test_the_advice_for_the_default_queue_is_short(aws: Aws, files: dict[str, str]) -> None:
    done = credentials(aws, "profile", "queue", env=files)
    assert advised(done) == "AWS_PROFILE=queue python scripts/send.py"
    elsewhere = {**files, "AWS_DEFAULT_REGION": "eu-west-1"}
    done = credentials(aws, "profile", "queue", "--region", "us-east-1", env=elsewhere)
    assert advised(done) == "env -u AWS_DEFAULT_REGION AWS_PROFILE=queue python scripts/send.py"


def test_process_refuses_keys_of_the_environment(aws: Aws, files: dict[str, str]) -> None:
    """They would be missing when the profile fetches the key; a profile that reads the secret is not."""
    root = aws.instance.root
    env = {**files, "AWS_ACCESS_KEY_ID": root.key_id, "AWS_SECRET_ACCESS_KEY": root.secret}
    command = ("profile", "fetched", "--process")
    refused = one_line(credentials(aws, *command, check=False, env=env), 2)
    assert "AWS_ACCESS_KEY_ID" in refused
    assert "--as PROFILE" in refused
    assert not Path(files["AWS_CONFIG_FILE"]).exists()
    done = credentials(aws, *command, "--as", "default", env=env)
    assert aws.run("sh", "-c", advised(done), env=env).stdout.startswith("Sent message ")


def test_a_csv_goes_to_stdout(aws: Aws, files: dict[str, str], secret: dict[str, str]) -> None:
    done = credentials(aws, "csv", "-", env=files)
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert list(row.values()) == ["Administrator", *secret.values()]
    assert not (ROOT / "-").exists()


def test_a_file_that_git_would_add_is_reported(aws: Aws, files: dict[str, str], tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "init", "--quiet", str(checkout)], check=True)
    (checkout / ".gitignore").write_text("*.csv\n")
    for path, reported in (
        (checkout / "key.txt", True),
        (checkout / "key.csv", False),
        (tmp_path / "key.txt", False),
    ):
        done = credentials(aws, "csv", str(path), env=files)
        assert (f"warning: {path} is in a git working tree and not ignored" in done.stderr) is reported


def test_a_key_of_another_user(
    aws: Aws, files: dict[str, str], new_user: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    """It fails for a deployment, whose user is known, and is reported for a secret."""
    store_key(aws, "of-another", new_user("another"))
    deployed, named = tmp_path / "deployed.csv", tmp_path / "named.csv"
    command = ("csv", "--secret", "of-another")
    mismatch = "belongs to arn:aws:iam::111122223333:user/another, not to Administrator, the user of HelloQueueIdentity"
    refused = credentials(aws, *command, str(deployed), "--deployment", "", check=False, env=files)
    assert mismatch in one_line(refused, 1)
    assert not deployed.exists()
    done = credentials(aws, *command, str(named), env=files)
    assert "warning: the key " in done.stderr
    assert mismatch in done.stderr
    (row,) = csv.DictReader(named.open())
    assert row["User Name"] == "another"


def test_without_the_right_to_read_stacks_the_owner_is_printed(
    aws: Aws, files: dict[str, str], new_user: Callable[..., dict[str, str]]
) -> None:
    reader = new_user("secret-reader", "secretsmanager:GetSecretValue")
    done = credentials(aws, "profile", "queue", "--secret", "Administrator/access-key", env={**files, **reader})
    assert "works: it belongs to arn:aws:iam::111122223333:user/Administrator\n" in done.stderr
    assert advised(done).endswith("scripts/send.py --queue NAME")

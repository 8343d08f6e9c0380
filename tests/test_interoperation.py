"""Messages between our scripts and other clients (Node, the AWS CLI) keep their characters and attributes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from hello_queue.project import ROOT
from tests.conftest import Aws

PEERS = ROOT / "scripts/hello_queue/benchmark/peers"
BODY = 'ünï 漢字 🚀 "quoted"\t\\'
BINARY = b"\x00\xff\x80"


def as_json(message: Any) -> dict[str, Any]:
    """The message as JSON."""
    attributes = {
        name: value if isinstance(value, str) else {"base64": base64.b64encode(value).decode()}
        for name, value in message.attributes.items()
    }
    return {"body": message.body, "attributes": attributes}


def print_json(message: Any) -> None:
    """A handler for process.py."""
    print(json.dumps(as_json(message)), flush=True)


def send(aws: Aws, queue: str, tmp_path: Path) -> None:
    attributes = {"n": 1.5, "b": {"base64": base64.b64encode(BINARY).decode()}}
    lines = tmp_path / "lines"
    lines.write_text(json.dumps({"body": BODY, "author": "Änne", "attributes": attributes}, ensure_ascii=False) + "\n")
    aws.script("send.py", "--file", str(lines), "--json-lines", "--queue-url", queue)


def processed(aws: Aws, queue: str) -> dict[str, Any]:
    """The message that process.py passes to its handler."""
    handler = "tests.test_interoperation:print_json"
    python_path = {"PYTHONPATH": f"{ROOT}:{ROOT}/scripts"}
    done = aws.script("process.py", "--queue-url", queue, "--count=1", "--handler", handler, env=python_path)
    content: dict[str, Any] = json.loads(done.stdout)
    return content


EXPECTED = {
    "body": BODY,
    "attributes": {"Author": "Änne", "n": "1.5", "b": {"base64": base64.b64encode(BINARY).decode()}},
}


def test_from_send_to_process(aws: Aws, queue: str, tmp_path: Path) -> None:
    send(aws, queue, tmp_path)
    assert processed(aws, queue) == EXPECTED


def node(aws: Aws, script: str, queue: str, **variables: str) -> str:
    key = aws.instance.root
    keys = {"AWS_ACCESS_KEY_ID": key.key_id, "AWS_SECRET_ACCESS_KEY": key.secret}
    return aws.run("node", str(PEERS / script), queue, env={**keys, **variables}).stdout


def test_to_sqs_consumer(aws: Aws, queue: str, tmp_path: Path) -> None:
    send(aws, queue, tmp_path)
    message = json.loads(node(aws, "consume.mjs", queue, COUNT="1", PRINT="1"))
    assert message["Body"] == BODY
    attributes = message["MessageAttributes"]
    assert attributes["Author"]["StringValue"] == "Änne"
    assert attributes["n"] == {**attributes["n"], "DataType": "Number", "StringValue": "1.5"}
    assert bytes(attributes["b"]["BinaryValue"].values()) == BINARY


def test_from_sqs_producer(aws: Aws, queue: str) -> None:
    message = {
        "id": "1",
        "body": BODY,
        "messageAttributes": {
            "Author": {"DataType": "String", "StringValue": "Änne"},
            "n": {"DataType": "Number", "StringValue": "1.5"},
            "b": {"DataType": "Binary", "BinaryValue": base64.b64encode(BINARY).decode()},
        },
    }
    node(aws, "produce.mjs", queue, MESSAGES=json.dumps([message]))
    assert processed(aws, queue) == EXPECTED


def with_cli(aws: Aws, aws_cli: str, *command: str) -> str:
    """The output of the AWS CLI. Version 1 ignores AWS_ENDPOINT_URL."""
    endpoint = aws.instance.variables["AWS_ENDPOINT_URL"]
    return aws.run(aws_cli, "--endpoint-url", endpoint, "sqs", *command, env={"LC_ALL": "C.UTF-8"}).stdout


def test_to_the_aws_cli(aws: Aws, queue: str, tmp_path: Path, aws_cli: str) -> None:
    send(aws, queue, tmp_path)
    options = ["--queue-url", queue, "--message-attribute-names", "All", "--output", "json"]
    (message,) = json.loads(with_cli(aws, aws_cli, "receive-message", *options))["Messages"]
    assert message["Body"] == BODY
    values = {
        name: each.get("StringValue", each.get("BinaryValue")) for name, each in message["MessageAttributes"].items()
    }
    assert values == {"Author": "Änne", "n": "1.5", "b": base64.b64encode(BINARY).decode()}


def test_from_the_aws_cli(aws: Aws, queue: str, aws_cli: str) -> None:
    attributes = {
        "Author": {"DataType": "String", "StringValue": "Änne"},
        "n": {"DataType": "Number", "StringValue": "1.5"},
        "b": {"DataType": "Binary", "BinaryValue": base64.b64encode(BINARY).decode()},
    }
    options = ["--queue-url", queue, "--message-body", BODY, "--message-attributes", json.dumps(attributes)]
    with_cli(aws, aws_cli, "send-message", *options)
    assert processed(aws, queue) == EXPECTED

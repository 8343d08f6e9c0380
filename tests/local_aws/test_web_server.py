"""HTTPS and HTTP on one port, whatever other clients do with it."""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import SSLError

from tests.conftest import Aws


def over_http(aws: Aws) -> str:
    return aws.instance.variables["AWS_ENDPOINT_URL"].replace("https://", "http://")


def port(aws: Aws) -> int:
    return int(over_http(aws).rpartition(":")[2])


def test_both_schemes_at_once(aws: Aws, queue: str) -> None:
    endpoints = [aws.instance.variables["AWS_ENDPOINT_URL"], over_http(aws)] * 4

    def send(endpoint: str) -> None:
        sqs = aws.client("sqs", endpoint_url=endpoint)
        for _ in range(25):
            sqs.send_message(QueueUrl=queue, MessageBody="x" * 10_000)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(send, endpoints))
    found = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert found["ApproximateNumberOfMessages"] == "200"


def test_clients_that_send_nothing_or_leave_block_nobody(aws: Aws) -> None:
    silent = [socket.create_connection(("127.0.0.1", port(aws))) for _ in range(50)]
    for _ in range(50):
        socket.create_connection(("127.0.0.1", port(aws))).close()
    half = socket.create_connection(("127.0.0.1", port(aws)))
    half.sendall(b"\x16")
    garbage = socket.create_connection(("127.0.0.1", port(aws)))
    garbage.sendall(b"\x16\x00garbage" * 10)
    for endpoint in (aws.instance.variables["AWS_ENDPOINT_URL"], over_http(aws)):
        assert "QueueUrls" in aws.client("sqs", endpoint_url=endpoint).list_queues()
    for each in [*silent, half, garbage]:
        each.close()


def test_a_client_that_does_not_trust_the_certificate(aws: Aws) -> None:
    with pytest.raises(SSLError):
        aws.client("sqs", verify=True).list_queues()
    assert "QueueUrls" in aws.client("sqs").list_queues()


def test_a_request_that_arrives_byte_by_byte(aws: Aws) -> None:
    trust = ssl.create_default_context(cafile=aws.instance.variables["AWS_CA_BUNDLE"])
    plain = socket.create_connection(("127.0.0.1", port(aws)))
    secure = trust.wrap_socket(socket.create_connection(("127.0.0.1", port(aws))), server_hostname="127.0.0.1")
    for connection in (plain, secure):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /_ministack/health HTTP/1.1\r\nHost: x\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.close()

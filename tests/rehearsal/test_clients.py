"""The clients of a rehearsal: what they record, and how messages are counted."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from hello_queue.aws.clients import AccessKey
from hello_queue.errors import HelloQueueError
from hello_queue.rehearsal import clients
from hello_queue.rehearsal.clients import Client, Clients, fill, left_in
from tests.conftest import Aws
from tests.local_aws.environments import inside


@pytest.fixture
def key(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> AccessKey:
    inside(aws, monkeypatch)
    monkeypatch.setattr(clients, "MESSAGES", 30)
    return AccessKey(aws.instance.root.key_id, aws.instance.root.secret)


def test_messages_are_counted_while_clients_use_the_queue(
    aws: Aws, key: AccessKey, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(queue)
    both = Clients(key, queue)
    both.start()
    both.sending.wait_for_calls(3)
    both.drain()
    both.stop()
    assert both.sent == both.processed >= 3
    assert both.sending.outages == both.processing.outages == []
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="client: sent, and not processed")
    fill(queue)
    monkeypatch.setattr(clients, "MESSAGES", 60)
    assert left_in(queue) == 60, "those in flight, and those that nobody received"


def test_what_cannot_be_deleted_is_none_of_the_messages(aws: Aws, key: AccessKey, queue: str) -> None:
    """A client without sqs:DeleteMessage has its own messages in flight, until it gets the right back."""
    fill(queue)
    both = Clients(key, queue)

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteMessage")

    both.start()
    delete, both._sqs.delete_message = both._sqs.delete_message, refuse  # type: ignore[assignment]
    both.processing.wait_for(lambda: both.processing.failures >= 3 and len(both.undeleted) >= 1)
    both.sending.stop()
    both.processing.stop()
    assert both.processing.outages[-1].codes == ["AccessDenied"]
    assert not both.processing.outages[-1].over
    assert left_in(queue, len(both.undeleted)) == 30
    both._sqs.delete_message = delete  # type: ignore[method-assign]
    both._process()
    assert both.undeleted == []


def test_lost_messages_are_missed(aws: Aws, key: AccessKey, queue: str) -> None:
    fill(queue)
    (lost,) = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    aws.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=lost["ReceiptHandle"])
    assert left_in(queue) == 29
    assert left_in(f"{queue}-gone") is None


def test_an_outage_begins_and_ends(aws: Aws, key: AccessKey, queue: str) -> None:
    both = Clients(key, queue)
    both.sending.start()
    both.sending.wait_for_calls(1)
    sqs = aws.client("sqs")
    sqs.delete_queue(QueueUrl=queue)
    both.sending.wait_for(lambda: both.sending.failures >= 2)
    sqs.create_queue(QueueName=queue.rpartition("/")[2])
    both.sending.wait_for(lambda: both.sending.outages[-1].over)
    sqs.delete_queue(QueueUrl=queue)
    both.sending.wait_for(lambda: len(both.sending.outages) == 2)
    both.stop()
    sqs.create_queue(QueueName=queue.rpartition("/")[2])
    first, second = both.sending.outages
    assert first.codes == second.codes == ["AWS.SimpleQueueService.NonExistentQueue"]
    assert first.over
    assert first.ended - first.begun >= 0.2
    assert not second.over


def test_a_queue_that_cannot_be_used(aws: Aws, key: AccessKey, queue: str) -> None:
    fill(queue)
    with pytest.raises(HelloQueueError, match=r"cannot be used before the change \(InvalidClientTokenId\)"):
        Clients(AccessKey("AKIAXXXXXXXXXXXXXXXX", "x" * 40), queue).start()


def test_a_bug_is_raised_where_the_client_is_stopped() -> None:
    def step() -> bool:
        raise ZeroDivisionError

    client = Client(step)
    client.start()
    client.wait_for_calls(1)
    with pytest.raises(ZeroDivisionError):
        client.stop()


def test_codes_are_recorded_once() -> None:
    def step() -> bool:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "SendMessage")

    client = Client(step)
    client.start()
    client.wait_for_calls(3)
    client.stop()
    (outage,) = client.outages
    assert outage.codes == ["AccessDenied"]
    assert client.failures == client.calls

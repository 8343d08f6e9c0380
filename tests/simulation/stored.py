"""Messages in a queue of the model, and what SQS allows to happen to them. The sources are named in `sqs_model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hello_queue.sqs.checksums import attributes_md5, body_md5


@dataclass(eq=False, slots=True)
class Stored:
    """A message in a queue. ``handle`` is the receipt handle of its last receive; ``grants`` has the time until which
    each receive hides it."""

    id: str
    body: str
    attributes: Mapping[str, Any]
    sent_at: float
    visible_at: float
    sequence: int
    group: str | None = None
    source: str | None = None
    receives: int = 0
    handle: str | None = None
    first_received_at: float | None = None
    deleted: bool = False
    grants: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Misfortune:
    """How often happens what SQS allows, from 0 to 1.

    Attributes:
        twice: a received message stays visible, because a server with a copy did not learn of the receive [STD].
        undeleted: a deleted message comes back, because a server with a copy was unavailable [DELETE].
        missed: a short poll does not ask the servers that have a message [POLL].
        shuffled: messages are received in another order than they were sent [STD].
        late: a sent message is visible only after a second: it is stored on several servers first [STD].
        stale_deletes: a delete with an old receipt handle succeeds and deletes: "might not be deleted" [DELETE].
    """

    twice: float = 0
    undeleted: float = 0
    missed: float = 0
    shuffled: float = 0
    late: float = 0
    stale_deletes: float = 0


def described(message: Stored, handle: str) -> dict[str, Any]:
    """The message as ReceiveMessage returns it [RECEIVE]."""
    system = {"ApproximateReceiveCount": str(message.receives), "SentTimestamp": str(int(message.sent_at * 1000))}
    if message.group is not None:
        system["MessageGroupId"] = message.group
    if message.source is not None:
        system["DeadLetterQueueSourceArn"] = message.source
    found = {
        "MessageId": message.id,
        "ReceiptHandle": handle,
        "Body": message.body,
        "MD5OfBody": body_md5(message.body),
        "Attributes": system,
    }
    if message.attributes:
        found |= {
            "MessageAttributes": message.attributes,
            "MD5OfMessageAttributes": attributes_md5(message.attributes),
        }
    return found

"""Messages and age by message group, which SQS does not count: a sample of the messages is received for it.

Each receive counts toward a message's maxReceiveCount, and hides the message for a moment. So a sample is small, never
takes a message's last tries, and is refused for a queue whose messages have few.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hello_queue.errors import HelloQueueError
from hello_queue.operations.dead_letters import DeadLetter
from hello_queue.operations.scan import Scan
from hello_queue.operations.selection import Selection
from hello_queue.sqs.queues import attributes, redrive_policy
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.transports import open_transport

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

FEWEST_RECEIVES = 3
"""The least max_receive_count of a queue that is sampled: two tries are left."""
SAMPLE_HOLD_SECONDS = 20
"""For how long a message is hidden if this process is killed."""
RETRY_TIMEOUT_SECONDS = 10


@dataclass
class Group:
    """What the sample has of a message group.

    Attributes:
        messages: how many.
        oldest_seconds: the age of the oldest one; None: unknown.
    """

    messages: int = 0
    oldest_seconds: float | None = None


@dataclass
class GroupSample:
    """A sample of the messages of a queue, by message group.

    Attributes:
        queue: its name.
        visible: about how many messages were visible in it.
        messages: how many of them are in the sample.
        groups: by message group; None: messages without a group.
        ended: why the sample is smaller than it should be; None: it is not, or the queue has no more messages.
    """

    queue: str
    visible: int
    messages: int = 0
    groups: dict[str | None, Group] = field(default_factory=dict)
    ended: str | None = None

    def add(self, letter: DeadLetter) -> None:
        group = self.groups.setdefault(letter.message.group, Group())
        group.messages += 1
        self.messages += 1
        ages = [age for age in (group.oldest_seconds, letter.age_seconds) if age is not None]
        group.oldest_seconds = max(ages, default=None)


class _FewTriesLeft(Exception):
    """A message has few tries left."""


async def sample_groups(sqs: SQSClient, url: str, most: int, report: Callable[[str], None]) -> GroupSample:
    """Receive up to so many messages, and make them visible again.

    After a crash they are visible again when their visibility timeout has expired (`SAMPLE_HOLD_SECONDS`).

    Args:
        report: takes a line for a person.

    Raises:
        HelloQueueError: the messages of the queue have too few tries.
        botocore.exceptions.ClientError, BotoCoreError: a call fails, for good or for too long.
    """
    found = attributes(sqs, url)
    policy = redrive_policy(found)
    tries = int(policy["maxReceiveCount"]) if "maxReceiveCount" in policy else None
    sample = GroupSample(url.rpartition("/")[2], int(found["ApproximateNumberOfMessages"]))
    if tries is not None and tries < FEWEST_RECEIVES:
        raise HelloQueueError(
            f"{sample.queue} is not sampled: its max_receive_count is {tries}, and a sample takes a receive from each "
            f"message. Deploy it with `-c max_receive_count={FEWEST_RECEIVES}` or more, or see the dashboard, which "
            "counts noisy groups"
        )

    async def count(letters: Sequence[DeadLetter]) -> None:
        for each in letters:
            sample.add(each)
        if tries is None:
            return
        for each in letters:
            if each.message.receive_count >= tries - 1:
                sample.ended = (
                    f"the sample of {sample.queue} ends early: message {each.message.id} was received "
                    f"{each.message.receive_count} of {tries} times, and more samples could take its last try"
                )
                raise _FewTriesLeft

    transport = open_transport(url, concurrency=1)
    retries = RetryPolicy(RETRY_TIMEOUT_SECONDS, report)
    scan = Scan(transport, url, Selection(), hold=SAMPLE_HOLD_SECONDS, retry_policy=retries, report=report)
    try:
        await scan.run(count, removes=False, limit=most)
    except _FewTriesLeft:
        pass
    finally:
        await transport.close()
    sample.ended = sample.ended or scan.incomplete
    return sample

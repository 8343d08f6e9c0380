"""A sample by message group: what it shows, and that it takes no message's last try."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
from collections.abc import Iterator

import pytest

from hello_queue.aws.clients import client
from hello_queue.cli.screen import screen
from hello_queue.cli.status_screen import SHOWN_GROUPS, group_lines
from hello_queue.errors import HelloQueueError
from hello_queue.operations import scan
from hello_queue.operations.dead_letters import DeadLetter
from hello_queue.operations.group_sample import Group, GroupSample, sample_groups
from hello_queue.sqs.handlers import Message
from tests.conftest import Aws
from tests.local_aws.environments import inside
from tests.queues import redrive_policy
from tests.scripts.in_process import load
from tests.scripts.pairs import Pair, count, make_pair


@pytest.fixture
def pair(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """Twelve messages of tenants in the queue; three tries."""
    inside(aws, monkeypatch)
    monkeypatch.setattr(scan, "WAIT_SECONDS", 0)  # the local AWS is one server
    made = make_pair(aws)
    for tenant, number in (("big", 8), ("small", 3)):
        send(aws, made.url, tenant, number)
    aws.client("sqs").send_message(QueueUrl=made.url, MessageBody="x")
    yield made
    for url in (made.url, made.dead):
        aws.client("sqs").delete_queue(QueueUrl=url)


def send(aws: Aws, url: str, tenant: str, number: int) -> None:
    entries = [{"Id": str(index), "MessageBody": "x", "MessageGroupId": tenant} for index in range(number)]
    aws.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)


def take(url: str, most: int) -> GroupSample:
    return asyncio.run(sample_groups(client("sqs"), url, most, print))


def test_messages_and_age_by_group(aws: Aws, pair: Pair) -> None:
    sample = take(pair.url, 100)
    assert {name: group.messages for name, group in sample.groups.items()} == {"big": 8, "small": 3, None: 1}
    assert all(0 <= (group.oldest_seconds or 0) < 60 for group in sample.groups.values())
    assert (sample.messages, sample.visible, sample.ended) == (12, 12, None)
    assert count(aws, pair.url) == 12, "all are visible again"


def test_the_oldest_message_of_a_group() -> None:
    sample = GroupSample("q", 3)
    for age in (5, 60, None, 30):
        sent_at = None if age is None else time.time() - age
        sample.add(DeadLetter(Message("1", "x", sent_at=sent_at, group="g"), {}, 0))
    assert sample.groups["g"].messages == 4
    assert sample.groups["g"].oldest_seconds == pytest.approx(60, abs=5)


def test_a_sample_has_at_most_as_many_as_asked_for(aws: Aws, pair: Pair) -> None:
    assert take(pair.url, 11).messages == 11
    received = aws.client("sqs").receive_message(
        QueueUrl=pair.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
    )["Messages"]
    assert {each["Attributes"]["ApproximateReceiveCount"] for each in received} <= {"1", "2"}


def test_no_message_is_sampled_into_the_dead_letter_queue(aws: Aws, pair: Pair) -> None:
    """The second sample ends where a message has one of three tries left."""
    assert take(pair.url, 100).ended is None
    second = take(pair.url, 100)
    assert second.messages <= 10
    assert second.ended
    assert "was received 2 of 3 times, and more samples could take its last try" in second.ended
    assert (count(aws, pair.url), count(aws, pair.dead)) == (12, 0)


@pytest.mark.parametrize("tries", [1, 2])
def test_a_queue_with_few_tries_is_not_sampled(aws: Aws, pair: Pair, tries: int) -> None:
    policy = {"RedrivePolicy": redrive_policy(aws, pair.dead, tries)}
    aws.client("sqs").set_queue_attributes(QueueUrl=pair.url, Attributes=policy)
    with pytest.raises(HelloQueueError, match=f"its max_receive_count is {tries}, .* `-c max_receive_count=3` or more"):
        take(pair.url, 100)
    received = aws.client("sqs").receive_message(QueueUrl=pair.url, MessageSystemAttributeNames=["All"])["Messages"]
    assert received[0]["Attributes"]["ApproximateReceiveCount"] == "1"


@pytest.mark.parametrize("as_json", [False, True])
def test_the_script_shows_both_queues(
    aws: Aws, pair: Pair, as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The dead-letter queue has no limit: it can be sampled again and again."""
    send(aws, pair.dead, "small", 2)
    module = load("status.py")
    for _ in range(2):
        arguments = ["--queue-url", pair.url, "--groups=100", *(["--json"] if as_json else [])]
        monkeypatch.setattr(sys, "argv", ["scripts/status.py", *arguments])
        assert module.main() == 1, "there are dead letters"
        out, err = capsys.readouterr()
    _, *shown = out.splitlines()
    name = pair.url.rpartition("/")[2]
    assert "the sample of" in err
    if as_json:
        ours, dead = map(json.loads, shown)
        assert (ours["queue"], dead["queue"], dead["sampled"]) == (name, f"{name}-dlq", 2)
        (group,) = dead["groups"]
        assert (group["group"], group["messages"]) == ("small", 2)
    else:
        heading = f"{name}-dlq by message group, in a sample of 2 of about 2 visible messages"
        assert heading in " ".join(out.split())  # with a long name on two lines
        assert shown[-1].split()[0] == "2"
        assert shown[-1].endswith("  small")


def test_the_largest_groups_are_shown() -> None:
    groups: dict[str | None, Group] = {f"g{number}": Group(number, 60.0 * number) for number in range(1, 31)}
    sample = GroupSample("q", 5_000, 465 + 9, {**groups, None: Group(9)})
    screen(file := io.StringIO(), width=80).print(group_lines(sample))
    lines = file.getvalue().splitlines()
    assert lines[0] == "q  by message group, in a sample of 474 of about 5,000 visible messages"
    assert lines[2] == "          30   30 m 00 s  g30"
    assert len(lines) == 2 + SHOWN_GROUPS + 1
    assert lines[-1] == "          64              in 11 more groups"

"""No message is lost between send.py and process.py while both are killed and their requests fail.

A short run is part of the tests. `make soak` runs a longer one, and `make faults` one with 100,000 messages and 200
kills and faults.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.faults import BROKEN, THROTTLED, Fault, FaultyPath, faulty_path
from tests.queues import bodies, redrive_policy

POISONED = 7
VISIBILITY_SECONDS = 4
SECONDS_BETWEEN = float(os.environ.get("FAULTS_SECONDS", "0.6"))
MAX_WAITING = 1_500
"""The sender is paused while more messages than that wait: the local AWS becomes slow with many."""
CONCURRENCY = 4
MAX_HELD = CONCURRENCY * 10
"""How many messages a consumer can have handled, but not deleted, when it is killed."""


class Weather:
    """Decides what happens to requests: nothing, or for a short time one kind of fault."""

    KINDS = ("throttled", "broken", "answers lost", "answers cut", "stalled", "down")

    def __init__(self, path: FaultyPath, chance: random.Random) -> None:
        self._path = path
        self._chance = chance
        self._kind = ""
        self._until = 0.0
        self.stalled = 0
        path.plan = self._plan

    def turn(self, kind: str) -> None:
        self._kind, self._until = kind, time.monotonic() + self._chance.uniform(0.2, 0.8)
        if kind == "down":
            self._path.down.set()
            threading.Timer(1.0, self._path.down.clear).start()

    def _plan(self, action: str, content: dict[str, Any]) -> Fault | None:
        del self._path.seen[:]
        if time.monotonic() > self._until:
            return None
        if self._kind == "stalled":
            self._until = 0.0  # one request only
            self.stalled += 1
            return Fault(stall=31)  # longer than the client waits
        hit = self._chance.random() < 0.5
        faults = {
            "throttled": THROTTLED,
            "broken": BROKEN,
            "answers lost": Fault(lose_answer=True),
            "answers cut": Fault(cut_answer=True),
        }
        return faults.get(self._kind) if hit else None


class Workplace:
    """Starts senders and consumers as processes."""

    def __init__(self, aws: Aws, path: FaultyPath, directory: Path, queue: str) -> None:
        self._environment = {**aws.instance.environment(), **path.variables()}
        self._environment |= {"PYTHONPATH": str(ROOT / "tests/sqs"), "LEDGER": str(directory / "ledger")}
        self.directory = directory
        self._queue = queue
        self.ledger = directory / "ledger"
        self._started = 0

    def start(self, script: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        self._started += 1
        log = (self.directory / f"{self._started}-{script}.log").open("wb")
        command = [
            sys.executable,
            f"scripts/{script}",
            "--queue-url",
            self._queue,
            "--retry-timeout",
            "600",
            *arguments,
        ]
        process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log, **options)
        process.log = Path(log.name)  # type: ignore[attr-defined]
        return process

    def consumer(self) -> subprocess.Popen[bytes]:
        return self.start("process.py", "--handler", "handling:poison", "--forever", "--concurrency", str(CONCURRENCY))


class Handled(NamedTuple):
    """A line of the ledger."""

    receive_count: int
    id: str
    body: str


def ledger(path: Path) -> list[Handled]:
    fields = [line.split(" ", 3) for line in path.read_text().splitlines()]
    return [Handled(int(receive_count), id, body) for _, receive_count, id, body in fields]


@pytest.mark.parametrize(
    ("messages", "faults", "max_receive_count"),
    [
        (1_000, 8, 9),
        pytest.param(
            int(os.environ.get("FAULTS_MESSAGES", "5000")),
            int(os.environ.get("FAULTS", "30")),
            12,
            marks=pytest.mark.soak,
        ),
    ],
)
def test_no_message_is_lost(aws: Aws, tmp_path: Path, messages: int, faults: int, max_receive_count: int) -> None:
    """The maximum receive count is so high that the faults move no message to the dead-letter queue: each can cost a
    message one receive."""
    chance = random.Random(time.time_ns())  # noqa: S311 (chooses faults)
    sqs = aws.client("sqs")
    dead = sqs.create_queue(QueueName=f"faults-{time.time_ns()}-dlq")["QueueUrl"]
    attributes = {
        "VisibilityTimeout": str(VISIBILITY_SECONDS),
        "RedrivePolicy": redrive_policy(aws, dead, max_receive_count),
    }
    queue = sqs.create_queue(QueueName=f"faults-{time.time_ns()}", Attributes=attributes)["QueueUrl"]
    poisoned = set(chance.sample(range(messages), POISONED))
    texts = [f"{'poison' if number in poisoned else 'good'}-{number}" for number in range(messages)]

    with faulty_path(aws.instance, tmp_path) as path:
        place = Workplace(aws, path, tmp_path, queue)
        weather = Weather(path, chance)
        events: list[str] = []
        happened: Counter[str] = Counter()
        sending = Sending(place, texts, tmp_path)
        consumers = [place.consumer() for _ in range(2)]
        ended: list[subprocess.Popen[bytes]] = []

        def waiting() -> int:
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
            return sum(int(value) for value in found.values())

        while sum(happened.values()) < faults or not sending.done():
            time.sleep(SECONDS_BETWEEN * chance.uniform(0.5, 1.5))
            sending.hold(waiting() > MAX_WAITING)
            for index, consumer in enumerate(consumers):
                if consumer.poll() is not None:  # it was started while requests failed
                    ended.append(consumer)
                    consumers[index] = place.consumer()
            if sum(happened.values()) >= faults:
                continue
            if not events:  # each kind once, in random order
                events = ["kill sender", "kill consumer", "restart consumer", *Weather.KINDS]
                chance.shuffle(events)
            event = events.pop()
            if event == "stalled" and weather.stalled >= faults // 15:
                continue
            happened[event] += 1
            if event == "kill sender":
                sending.kill()
            elif event in ("kill consumer", "restart consumer"):
                index = chance.randrange(len(consumers))
                consumers[index].send_signal(signal.SIGKILL if event == "kill consumer" else signal.SIGTERM)
                if event == "kill consumer":
                    consumers[index].wait()
                else:
                    ended.append(consumers[index])
                consumers[index] = place.consumer()
            else:
                weather.turn(event)
        give_up = time.monotonic() + 120 + max_receive_count * VISIBILITY_SECONDS * 1.5
        while waiting() and time.monotonic() < give_up:
            time.sleep(0.5)
        for consumer in consumers:
            consumer.send_signal(signal.SIGTERM)
        for consumer in consumers + ended:
            status, log = consumer.wait(60), consumer.log.read_text()  # type: ignore[attr-defined]
            if status == -signal.SIGTERM:
                assert log == "", log  # it was still starting
                continue
            if status == 1 and re.fullmatch(r"\S+ ERROR .*\n", log):
                continue  # it could not look up the queue
            *_, summary = log.splitlines()
            unsuccessful = ("failed", "not deleted", "visibility timeout expired")
            assert status == int(any(words in summary for words in unsuccessful)), log

    lines = ledger(place.ledger)
    good = {text for text in texts if text.startswith("good")}
    handled = {line.body for line in lines}
    assert handled == good, f"{len(good - handled)} are lost"
    assert set(bodies(aws, dead)) == set(texts) - good

    # Every duplicate has a reason. A message was sent twice because the sender was killed or an answer was lost.
    ids = {line.id for line in lines}
    sent_twice = path.accepted["SendMessageBatch"] - messages
    assert len(ids) - len(good) <= sent_twice
    # No receive is handled twice.
    receives = Counter((line.id, line.receive_count) for line in lines)
    assert set(receives.values()) == {1}
    # A message was handled twice because its consumer was killed, or its visibility timeout had expired.
    handled_again = len(lines) - len(ids)
    logs = "".join(each.read_text() for each in tmp_path.glob("*-process.py.log"))
    expired = logs.count("was handled, but not deleted: its visibility timeout had expired")
    assert handled_again <= MAX_HELD * happened["kill consumer"] + expired
    print(f"\n{messages:,} messages, {sum(happened.values())} faults: {dict(happened)}")
    print(f"{len(lines) - len(good)} duplicates: {len(ids) - len(good)} sent twice, {handled_again} received again")
    for url in (queue, dead):
        sqs.delete_queue(QueueUrl=url)


class Sending:
    """Sends a file with send.py. When it was killed, it continues where its last line of statistics says."""

    def __init__(self, place: Workplace, texts: list[str], directory: Path) -> None:
        self._place = place
        self._file = directory / "texts"
        self._file.write_text("".join(f"{text}\n" for text in texts))
        self._held = False
        self._skip = 0
        self._start()

    def done(self) -> bool:
        """Whether everything was sent."""
        status = self._process.poll()
        if status is None:
            return False
        assert status == 0, self._log()
        return True

    def hold(self, hold: bool) -> None:
        """Pause or continue the process."""
        if hold != self._held and self._process.poll() is None:
            self._process.send_signal(signal.SIGSTOP if hold else signal.SIGCONT)
            self._held = hold

    def kill(self) -> None:
        if self._process.poll() is not None:
            return
        self._process.kill()
        self._process.wait()
        positions = re.findall(r"--skip (\d+)", self._log())
        self._skip = int(positions[-1]) if positions else self._skip
        self._start()

    def _start(self) -> None:
        self._held = False
        arguments = ["--file", str(self._file), "--skip", str(self._skip), "--stats", "1", "--concurrency", "4"]
        self._process = self._place.start("send.py", *arguments)

    def _log(self) -> str:
        return self._process.log.read_text()  # type: ignore[attr-defined,no-any-return]

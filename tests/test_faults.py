"""Messages through kills and faults, from send.py to process.py: a ledger counts each of them.

`make faults` does it with 100,000 messages and 200 kills and faults; the tests with fewer.
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
from typing import Any

from hello_queue.project import ROOT
from tests.conftest import Aws
from tests.faults import BROKEN, THROTTLED, Fault, FaultyPath, faulty_path
from tests.queues import bodies, redrive_policy

MESSAGES = int(os.environ.get("FAULTS_MESSAGES", "3000"))
FAULTS = int(os.environ.get("FAULTS", "20"))
POISONED = 7
VISIBILITY_SECONDS = 4
MAX_RECEIVE_COUNT = 12
"""High enough that bad luck alone, as a message that is being handled at each of several kills, poisons none."""
SECONDS_BETWEEN = float(os.environ.get("FAULTS_SECONDS", "0.6"))
MOST_WAITING = 1_500
"""The local AWS takes time by the messages that it has: the sender is held up while there are more than that."""


class Weather:
    """What happens to requests: nothing, or for a short time one kind of trouble."""

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
            self._until = 0.0  # one request is enough
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
    """Starts senders and consumers as processes, and says what they have said."""

    def __init__(self, aws: Aws, path: FaultyPath, directory: Path, queue: str) -> None:
        self._environment = {**aws.instance.environment(), **path.variables()}
        self._environment |= {"PYTHONPATH": str(ROOT / "tests/queueing"), "LEDGER": str(directory / "ledger")}
        self._directory = directory
        self._queue = queue
        self.ledger = directory / "ledger"
        self._started = 0

    def start(self, script: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        self._started += 1
        log = (self._directory / f"{self._started}-{script}.log").open("wb")
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
        return self.start("process.py", "--handler", "handling:poison", "--forever", "--concurrency", "4")


def test_nothing_is_lost(aws: Aws, tmp_path: Path) -> None:
    chance = random.Random(time.time_ns())  # noqa: S311 (what happens when)
    sqs = aws.client("sqs")
    dead = sqs.create_queue(QueueName=f"faults-{time.time_ns()}-dlq")["QueueUrl"]
    attributes = {
        "VisibilityTimeout": str(VISIBILITY_SECONDS),
        "RedrivePolicy": redrive_policy(aws, dead, MAX_RECEIVE_COUNT),
    }
    queue = sqs.create_queue(QueueName=f"faults-{time.time_ns()}", Attributes=attributes)["QueueUrl"]
    poisoned = set(chance.sample(range(MESSAGES), POISONED))
    texts = [f"{'poison' if number in poisoned else 'good'}-{number}" for number in range(MESSAGES)]

    with faulty_path(aws.instance, tmp_path) as path:
        place = Workplace(aws, path, tmp_path, queue)
        weather = Weather(path, chance)
        events = ["kill sender", "kill consumer", "restart consumer", *Weather.KINDS]
        happened: Counter[str] = Counter()
        sending = Sending(place, texts, tmp_path)
        consumers = [place.consumer() for _ in range(2)]

        def waiting() -> int:
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
            return sum(int(value) for value in found.values())

        while sum(happened.values()) < FAULTS or not sending.done():
            time.sleep(SECONDS_BETWEEN * chance.uniform(0.5, 1.5))
            sending.hold(waiting() > MOST_WAITING)
            if sum(happened.values()) >= FAULTS:
                continue
            event = chance.choice([each for each in events if each != "stalled" or weather.stalled < FAULTS // 15])
            happened[event] += 1
            if event == "kill sender":
                sending.kill()
            elif event in ("kill consumer", "restart consumer"):
                index = chance.randrange(len(consumers))
                consumers[index].send_signal(signal.SIGKILL if event == "kill consumer" else signal.SIGTERM)
                if event == "kill consumer":
                    consumers[index].wait()
                consumers[index] = place.consumer()
            else:
                weather.turn(event)
        give_up = time.monotonic() + 120 + MAX_RECEIVE_COUNT * VISIBILITY_SECONDS * 1.5
        while waiting() and time.monotonic() < give_up:
            time.sleep(0.5)
        for consumer in consumers:
            consumer.send_signal(signal.SIGTERM)
        ended = [consumer.wait(60) for consumer in consumers]

    lines = [line.split(" ", 2) for line in place.ledger.read_text().splitlines()]
    times = Counter(body for _, _, body in lines)
    good = {text for text in texts if text.startswith("good")}
    duplicates = sum(times.values()) - len(times)
    sent_twice = path.accepted["SendMessageBatch"] - MESSAGES
    received_again = sum(int(count) > 1 for _, count, _ in lines)
    print(f"\n{MESSAGES:,} messages, {sum(happened.values())} faults: {dict(happened)}")
    print(f"{duplicates} handled more than once: {sent_twice} were sent twice, {received_again} received again")
    assert set(times) == good, f"{len(good - set(times))} are lost"
    assert set(bodies(aws, dead)) == set(texts) - good
    assert ended == [0, 0]
    # Each duplicate has a reason: it was sent again after a kill or a lost answer, or received again after a kill, a
    # lost answer, or a delete that did not come through in time.
    assert duplicates <= sent_twice + received_again
    for url in (queue, dead):
        sqs.delete_queue(QueueUrl=url)


class Sending:
    """send.py from a file; killed, it is started anew with what its last line said."""

    def __init__(self, place: Workplace, texts: list[str], directory: Path) -> None:
        self._place = place
        self._file = directory / "texts"
        self._file.write_text("".join(f"{text}\n" for text in texts))
        self._held = False
        self._skip = 0
        self._start()

    def done(self) -> bool:
        """Whether everything was sent; starts again what has ended early."""
        status = self._process.poll()
        if status is None:
            return False
        said = self._said()
        assert status == 0, said
        return True

    def hold(self, hold: bool) -> None:
        """Stop or continue the process: nobody shall have to wait for a queue that is too long."""
        if hold != self._held and self._process.poll() is None:
            self._process.send_signal(signal.SIGSTOP if hold else signal.SIGCONT)
            self._held = hold

    def kill(self) -> None:
        if self._process.poll() is not None:
            return
        self._process.kill()
        self._process.wait()
        positions = re.findall(r"--skip (\d+)", self._said())
        self._skip = int(positions[-1]) if positions else self._skip
        self._start()

    def _start(self) -> None:
        self._held = False
        arguments = ["--file", str(self._file), "--skip", str(self._skip), "--stats", "1", "--concurrency", "4"]
        self._process = self._place.start("send.py", *arguments)

    def _said(self) -> str:
        return self._process.log.read_text()  # type: ignore[attr-defined,no-any-return]

"""What the benchmark measures: throughput and CPU time, start-up time, memory, and whole commands on the local AWS."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import boto3

from hello_queue.benchmark.contenders import BATCHES, CONTENDERS, OURS, SCRIPTS, TUTORIAL, Contender, plain
from hello_queue.benchmark.endpoint import Endpoint
from hello_queue.benchmark.results import Comparison, Measured, Task
from hello_queue.errors import HelloQueueError
from hello_queue.local_aws.instance import local_aws
from hello_queue.project import environment_with_tools

Progress = Callable[[str], None]
LOCAL_AWS_MESSAGES = 2_000
_TURNS = 10
"""The fewest batches of ten that each task of a contender sends or processes."""


def throughput(server: Endpoint, task: Task, rounds: int, progress: Progress) -> Comparison:
    """Measure the contenders by turns."""
    kind, size, delay = task.kind, task.size, task.delay
    contenders: Sequence[Contender] = CONTENDERS[kind]
    measured = {contender.name: Measured() for contender in contenders}
    fastest = 200_000 if size <= 100 else 40_000
    idle = {contender.name: _run(server, kind, contender, 10, size, delay)[1] for contender in contenders}
    for turn in range(rounds):
        for contender in contenders:
            progress(f"{task.name}: round {turn + 1} of {rounds}, {contender.name}")
            share = contender.share / 1000 / (3 if delay and contender.share < 100 else 1)
            count = max(_TURNS * 10 * contender.at_once, round(fastest * share / 100) * 100)
            rate, cpu = _run(server, kind, contender, count, size, delay)
            measured[contender.name].rates.append(rate)
            measured[contender.name].cpu.append((cpu - idle[contender.name]) / count * 1e6)
    return Comparison(**asdict(task), measured=measured)


def _run(server: Endpoint, kind: str, contender: Contender, count: int, size: int, delay: float) -> tuple[float, float]:
    """Have a contender send or process. Returns messages per second, from the first call to the last, and CPU seconds.

    Raises:
        HelloQueueError: the endpoint did not count each message once.
    """
    server.reset(messages=count if kind == "process" else 0, size=size, delay=delay, kombu=contender.kombu)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        contender.command(server.queue_url, count, size),
        cwd=SCRIPTS,
        env={**_environment(server), **contender.variables(count, size)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    what = "sent" if kind == "send" else "deleted"
    deadline = time.monotonic() + 300
    counts = server.counts()
    while counts[what] < count and time.monotonic() < deadline:
        time.sleep(0.02)
        counts = server.counts()
    if kind == "process" and process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.wait(60)
    if counts[what] != count:
        raise HelloQueueError(f"{contender.name} {what} {counts[what]:,} of {count:,} messages")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return count / max(counts["last"] - counts["first"], 1e-6), cpu


def start_up(server: Endpoint, rounds: int) -> dict[str, list[float]]:
    """Seconds from the start of a process to its first message, for each command. The first one is the baseline."""
    send = [sys.executable, "send.py", f"--queue-url={server.queue_url}", "x" * 100]
    commands = {
        "`import boto3`, one client, one message": plain("first")(server.queue_url, 1, 100),
        "`send.py`": send,
        "`send.py --count 1000`": [*send, "--count=1000"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            server.reset(messages=0, size=100, delay=0)
            began = time.time()
            subprocess.run(command, cwd=SCRIPTS, env=_environment(server), capture_output=True, check=True)
            seconds[name].append(server.counts()["first"] - began)
    return seconds


def peak_memory(server: Endpoint, lines: int) -> float:
    """The largest resident set of `send.py --file` with a file of this many lines, in MB.

    Raises:
        HelloQueueError: not every line was sent.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "lines"
        with file.open("w") as writing:
            writing.writelines(f"{'x' * 100}\n" for _ in range(lines))
        server.reset(messages=0, size=100, delay=0)
        command = [sys.executable, "send.py", f"--file={file}", "--stats=0", f"--queue-url={server.queue_url}"]
        # A process between: the peak of a child includes that of the process that started it.
        measured = subprocess.run(
            [sys.executable, "-c", _PEAK_OF_CHILD, *command],
            cwd=SCRIPTS,
            env=_environment(server),
            capture_output=True,
            check=True,
        )
    if server.counts()["sent"] != lines:
        raise HelloQueueError(f"send.py sent {server.counts()['sent']:,} of {lines:,} lines")
    return int(measured.stdout) / 1024


_PEAK_OF_CHILD = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def on_the_local_aws(rounds: int, progress: Progress) -> dict[tuple[str, str], list[float]]:
    """Seconds of whole commands for LOCAL_AWS_MESSAGES, by contender and kind. The server, one Python process, sets the
    pace."""
    seconds: dict[tuple[str, str], list[float]] = {}
    with local_aws() as instance:
        sqs = boto3.Session(
            aws_access_key_id=instance.root.key_id,
            aws_secret_access_key=instance.root.secret,
            region_name=instance.variables["AWS_REGION"],
        ).client("sqs", endpoint_url=instance.variables["AWS_ENDPOINT_URL"], verify=instance.variables["AWS_CA_BUNDLE"])
        url = sqs.create_queue(QueueName="bench")["QueueUrl"]
        for turn in range(rounds):
            for name in (TUTORIAL, BATCHES, OURS):
                progress(f"local AWS: round {turn + 1} of {rounds}, {name}")
                for kind in ("send", "process"):
                    contender = next(each for each in CONTENDERS[kind] if each.name == name)
                    command = contender.command(url, LOCAL_AWS_MESSAGES, 100)
                    if (kind, name) == ("process", OURS):
                        command.append(f"--count={LOCAL_AWS_MESSAGES}")
                    began = time.monotonic()
                    subprocess.run(command, cwd=SCRIPTS, env=instance.environment(), capture_output=True, check=True)
                    seconds.setdefault((name, kind), []).append(time.monotonic() - began)
    return seconds


def _environment(server: Endpoint) -> dict[str, str]:
    inherited = {name: value for name, value in environment_with_tools().items() if not name.startswith("AWS_")}
    return {
        **inherited,
        "AWS_ENDPOINT_URL": server.url,
        "AWS_CA_BUNDLE": str(server.authority),
        "NODE_EXTRA_CA_CERTS": str(server.authority),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }

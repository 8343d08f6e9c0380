"""Faults that are put into the engine by program, to see whether the simulation finds them."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
import types
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NamedTuple

from hello_queue.project import ROOT
from tests.simulation.runs import run_again


class Mutant(NamedTuple):
    """A fault: in a module of the package, one text is replaced by another."""

    module: str
    old: str
    new: str


MUTANTS = {
    # Deleting.
    "deleted before it is handled": Mutant(
        "sqs.consumer", "lease.started_at = now\n", "lease.started_at = now\n        self._done.add(lease)\n"
    ),
    "a failed handler counts as handled": Mutant(
        "sqs.consumer", "lease.started_at is not None and error is None", "lease.started_at is not None"
    ),
    "what was not begun counts as handled": Mutant(
        "sqs.consumer", "lease.started_at is not None and error is None", "error is None"
    ),
    "lease not checked before deleting": Mutant("sqs.leases", "if lease.is_held(now):", "if not lease.lost:"),
    "failed deletes count as deleted": Mutant(
        "sqs.leases", "if is_final(failure):\n                settled", "if True:\n                settled"
    ),
    "deletes are not repeated": Mutant(
        "sqs.leases", "                    trouble = error\n", "                    return\n"
    ),
    "too many deletes in a batch": Mutant("sqs.deletions", ">= MAX_BATCH_ENTRIES", "> MAX_BATCH_ENTRIES"),
    # Leases.
    "lease not checked before handling": Mutant("sqs.consumer", " or not lease.is_held(now):", ":"),
    "lease counted from the answer": Mutant(
        "sqs.polling", "until = now + self._timeout", "until = self._loop.time() + self._timeout"
    ),
    "extension counted from the answer": Mutant(
        "sqs.leases", ".until = now + seconds", ".until = asyncio.get_running_loop().time() + seconds"
    ),
    "a failed extension counts": Mutant(
        "sqs.leases",
        "            return\n        for success",
        "            answer = {'Successful': entries}\n        for success",
    ),
    "no heartbeat": Mutant("sqs.heartbeat", "            if due:", "            if False:"),
    "heartbeat too late": Mutant(
        "sqs.heartbeat", "lease.until - self._timeout / 2:", "lease.until - self._timeout / 12:"
    ),
    "heartbeat waits too long for an answer": Mutant(
        "sqs.heartbeat", "max(0.5, min(5.0, visibility_timeout / 8))", "30"
    ),
    "one extension at a time": Mutant("sqs.heartbeat", "if due:", "if due and not self._in_progress:"),
    "extended for ever": Mutant("sqs.heartbeat", "now - lease.started_at <= self._max_handling_seconds", "True"),
    "RetryLater ignored": Mutant("sqs.leases", "await self._change(self._transport, [lease], seconds)", "pass"),
    "RetryLater at once": Mutant(
        "sqs.leases",
        "await self._change(self._transport, [lease], seconds)",
        "await self._change(self._transport, [lease], 0)",
    ),
    # Order and limits.
    "groups not kept in order": Mutant("sqs.consumer", "Groups() if is_fifo(config.url) else None", "None"),
    "a failed message is overtaken": Mutant(
        "sqs.consumer",
        "            if succeeded:\n                self._runner.submit",
        "            if True:\n                self._runner.submit",
    ),
    "more handlers than allowed": Mutant("sqs.handler_tasks", "self._limit - len(self._running)", "self._limit"),
    "received without a bound": Mutant("sqs.consumer", " - self._unhandled - self._poller.asked", " + 0"),
    "limit exceeded": Mutant("sqs.polling", "            self._budget -= number\n", "            pass\n"),
    "unused limit is lost": Mutant(
        "sqs.polling", "            self._budget += number - len(leases)\n", "            pass\n"
    ),
    "ends before the queue is empty": Mutant("sqs.polling", ">= self._empty_after", ">= self._empty_after / 2"),
    # Stopping.
    "what arrives after a stop is forgotten": Mutant(
        "sqs.consumer",
        "            self._return(leases)\n            return\n",
        "            self._held.difference_update(leases)\n            return\n",
    ),
    "what waits at a stop is handled": Mutant("sqs.consumer", "self._stopping.is_set() or not lease", "not lease"),
    "receives go on after a stop": Mutant("sqs.consumer", "        self._poller.stop()\n", ""),
    "returned while receives are in progress": Mutant(
        "sqs.consumer", "if not (self._stopping.is_set() and self._receiving) and", "if"
    ),
    # Retries.
    "no wait between retries": Mutant("sqs.retries", "delay = self._jitter() *", "delay = 0 *"),
    "retries never end": Mutant("sqs.retries", ">= self.timeout:", ">= float('inf'):"),
    "a final error is repeated": Mutant(
        "sqs.retries", "if isinstance(error, (aws.SSLError, aws.ProxyConnectionError)):", "if False:"
    ),
    "a throttled call is final": Mutant("sqs.retries", '"RequestThrottled", ', ""),
    # Sending.
    "failed entries count as sent": Mutant(
        "sqs.producer",
        "        if final or is_final(failure):\n",
        "        if True:\n            outcome.sent[pending.pop(int(failure['Id'])).line] = 'x'\n        elif final:\n",
    ),
    "a lost answer counts as sent": Mutant(
        "sqs.producer",
        "                trouble = error\n",
        "                trouble = error\n"
        "                outcome.sent.update((e.line, 'x') for e in pending.values())\n"
        "                pending.clear()\n",
    ),
    "failed entries are given up": Mutant("sqs.producer", "if final or is_final(failure)", "if True"),
    "possible duplicates not counted": Mutant(
        "sqs.producer", "                    uncertain.update(pending)\n", "                    pass\n"
    ),
    "sent messages not compared": Mutant(
        "sqs.producer", '    if success["MD5OfMessageBody"] != ', '    if False and success["MD5OfMessageBody"] != '
    ),
    "batches of a group overtake each other": Mutant(
        "sqs.producer", "            await event.wait()\n", "            pass\n"
    ),
    "position ahead by one": Mutant(
        "sqs.sending_progress",
        "            self.position += 1\n",
        "            self.position += 1 + (self.position == 4)\n",
    ),
    "position at the last line sent": Mutant(
        "sqs.sending_progress",
        "        while self.position + 1 in self._settled_beyond:\n            self.position += 1\n"
        "            del self._settled_beyond[self.position]\n",
        "        self.position = max([self.position, *self._settled_beyond])\n",
    ),
    "one line too many is skipped": Mutant(
        "sqs.line_batches", "self._skip - self._number,", "self._skip + (self._skip > 0) - self._number,"
    ),
    # Content, and moving.
    "altered messages are handled": Mutant("sqs.polling", "        if is_intact(received):\n", "        if True:\n"),
    "moved messages deleted before they are sent": Mutant(
        "operations.removal",
        "            await self._producer.deliver(batch, outcome)\n",
        "            await self._deleter([dead_letters[entry.line] for entry in batch])\n"
        "            await self._producer.deliver(batch, outcome)\n",
    ),
    "moved messages not deleted": Mutant(
        "operations.removal",
        "            await self._deleter(sent)\n",
        "",
    ),
    # What the simulation has found in the engine, put back.
    "a handler's CancelledError stops its task": Mutant(
        "sqs.consumer", "if self._is_over and isinstance", "if isinstance"
    ),
    "received without a bound after a failure": Mutant(
        "sqs.consumer", "return min(room, 1 - self._poller.asked)", "return 1 - self._poller.asked"
    ),
    "begun when the lease is nearly over": Mutant(
        "sqs.consumer",
        "if lease.until - now < self._config.visibility_timeout / 2]",
        "if not lease.is_held(now)]",
    ),
    "an altered message is overtaken": Mutant("sqs.polling", "overtaking |= {group} if self._fifo else set()", "pass"),
    "altered messages are moved": Mutant("operations.scan", "if is_intact(letter.received):", "if True:"),
    "unanswered entries not counted": Mutant("sqs.producer", "uncertain.update(_unanswered(answer, pending))", "pass"),
    "an altered message is dropped as a duplicate": Mutant(
        "sqs.producer", 'if "MessageDeduplicationId" in pending', 'if False and "" in pending'
    ),
    "lines after a failure are sent": Mutant(
        "sqs.sender", "            if self._order_broken:\n", "            if False:\n"
    ),
    "returned before it stops": Mutant(
        "sqs.consumer",
        "            self._fail(error)\n            self._return([lease])\n",
        "            self._return([lease])\n            self._fail(error)\n",
    ),
}
SURVIVORS = {
    "a final error is repeated": "the model raises no errors of TLS",
}
"""Mutants that no seed can find, each with its reason."""


FOUND: dict[int, str] = {
    3: "a handler that raised CancelledError took its task with it",
    48: "after a failure in a FIFO queue, messages were received without a bound",
    115: "an altered message was dropped as a duplicate of itself",
    21: "lines after one that could not be sent were sent before it",
    1795599656157: "while deletes failed, messages were received and handled again and again",
    1795599656106: "deletes that were given up at the end of the grace period were taken for a broken promise",
    1795599656074: "the same, without an answer to the extension",
    3001917: "messages that are each sent once, without retries, were taken for repetitions",
    3003549: "redrive.py was expected to survive a signal",
    5003735: "what was handled was not kept while its delete took longer than the most time for handling",
    21001828: "a dead letter whose copy an earlier redrive had sent was taken for one that is lost",
    21000709: "a consumer that ends because of an error was not taken for the reason of a dead letter",
    31000853: "a message that arrived when the grace period ended was not returned",
    5129: "deletes that were given up at the end of the grace period were taken for a broken promise",
}
"""Seeds that have failed, and what they found."""


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with another source text."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = f"hello_queue.{mutant.module}"
        self._source = changed_source(mutant)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self._name else None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self._source, str(_path(self._name)), "exec"), module.__dict__)  # noqa: S102 (our own source)


def _path(module: str) -> Path:
    return ROOT / "scripts" / f"{module.replace('.', '/')}.py"


def changed_source(mutant: Mutant) -> str:
    """The source of the module with the fault.

    Raises:
        ValueError: the engine has changed, so that the fault cannot be put in.
    """
    source = _path(f"hello_queue.{mutant.module}").read_text()
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.module} has {source.count(mutant.old)} times {mutant.old!r}")
    return source.replace(mutant.old, mutant.new)


def install(name: str) -> None:
    """Put a fault into the engine, in this process.

    Raises:
        ValueError: the engine has changed, so that the fault cannot be put in.
    """
    finder = _Finder(MUTANTS[name])
    for loaded in [each for each in sys.modules if each.startswith(("hello_queue.sqs", "hello_queue.operations"))]:
        del sys.modules[loaded]
    for loaded in [each for each in sys.modules if each.startswith("tests.simulation.")]:
        if loaded not in (__name__, "tests.simulation.runs", "tests.simulation.__main__"):
            del sys.modules[loaded]
    sys.meta_path.insert(0, finder)


def found(name: str, seeds: int) -> str:
    """How many seeds it takes to find a mutant, in a process of its own; "none": so many do not."""
    return run_again(["--mutant", name, "--seeds", str(seeds)]).strip().rpartition("\n")[2]


def run_all(seeds: int, processes: int) -> int:
    """Print for each mutant how many seeds it takes. Returns the exit status: 1 if one lives that should not."""
    numbers = {}
    with ThreadPoolExecutor(processes) as pool:
        for name, number in zip(MUTANTS, pool.map(lambda name: found(name, seeds), MUTANTS), strict=True):
            numbers[name] = number
            print(f"{number:>6}  {name}{f' ({SURVIVORS[name]})' if name in SURVIVORS else ''}", flush=True)
    alive = [name for name, number in numbers.items() if not number.isdigit() and name not in SURVIVORS]
    print(f"{len(numbers)} mutants, {sum(number.isdigit() for number in numbers.values())} found; alive: {alive}")
    return 1 if alive else 0

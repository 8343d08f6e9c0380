"""Sees everything that happens in a simulated world, and says which promise of the engine was broken."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from hello_queue.sqs.consumer import Consumer
from hello_queue.sqs.handlers import Message
from hello_queue.sqs.retries import is_transient
from tests.simulation.receipts import Receipt, brief
from tests.simulation.sqs_model import Queue
from tests.simulation.sqs_service import Answer, Refused
from tests.simulation.stored import Stored
from tests.simulation.virtual_loop import Process, VirtualLoop

SLACK_SECONDS = 0.6


class Oracle:
    """The invariants. The world tells it of calls, answers and handlers; the model of what happens to messages.

    Attributes:
        broken: the promises that were broken, each with its time.
        trace: who did what when, if it is wanted.
    """

    def __init__(self, loop: VirtualLoop, *, tracing: bool) -> None:
        self._loop = loop
        self.trace: list[str] | None = [] if tracing else None
        self.broken: list[str] = []
        self.receipts: dict[str, Receipt] = {}
        self.by_message: dict[str, list[Receipt]] = defaultdict(list)
        self._running: dict[Process, set[Receipt]] = defaultdict(set)
        self._moving: dict[Process, list[Receipt]] = defaultdict(list)
        self.by_process: dict[Process, list[Receipt]] = defaultdict(list)
        self.promised: dict[str, float] = {}
        self.handled: set[str] = set()
        self.stored: dict[str, int] = defaultdict(int)
        self.requests_by_key: dict[tuple[Process, str], set[int]] = defaultdict(set)
        self._came_back: set[str] = set()
        self._resent: set[Stored] = set()
        self._acting: tuple[Process, str, int] | None = None
        self._failing_since: dict[tuple[Process, str], float] = {}
        self._failures: dict[tuple[Process, str], Counter[str]] = defaultdict(Counter)
        self._heartbeat_faults: dict[Process, list[float]] = defaultdict(list)
        self.deleted_by: dict[Process, int] = defaultdict(int)
        self.later: dict[str, float] = {}
        self.postponed: set[str] = set()
        self.counts = dict.fromkeys(("received", "handled", "failed", "deleted", "dead", "stored", "twice"), 0)
        # Set by the world.
        self.main: Queue
        self.visibility_timeout = 30
        self.max_handling_seconds = 43_200.0
        self.concurrency: dict[Process, int] = {}
        self.slots: dict[Process, int] = {}
        self.consumers: dict[Process, Consumer] = {}
        self.retry_timeout = 60.0
        self.is_calm = False
        self.refused: set[str] = set()
        self.previous: dict[str, str] = {}

    def now(self) -> float:
        return self._loop.time()

    def note(self, who: object, text: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.now() - 1_000:10.3f} {who!s:14} {text}")

    def violated(self, text: str) -> None:
        self.broken.append(f"{self.now() - 1_000:.3f} s: {text}")
        self.note("VIOLATION", text)

    # Calls.

    def asked(self, process: Process, action: str, parameters: Mapping[str, Any], fault: str) -> None:
        """A process calls SQS."""
        if self.trace is not None:
            self.note(process, f"{action} {brief(parameters)}{f' [{fault}]' if fault else ''}")
        now = self.now()
        since = self._failing_since.get((process, action))
        if since is not None and process.frozen_at < since:
            if action != "ChangeMessageVisibilityBatch" and now - since > self.retry_timeout + 75:
                self.violated(f"{process} retries {action} for longer than its limit")
            self._check_pace(process, action, brief(parameters), now - since)
        if action == "DeleteMessageBatch":
            for entry in parameters["Entries"]:
                self._deleting(process, self.receipts[entry["ReceiptHandle"]])
        elif action == "ChangeMessageVisibilityBatch":
            if fault:
                self._heartbeat_faults[process].append(now)
            for entry in parameters["Entries"]:
                self._hiding(process, self.receipts[entry["ReceiptHandle"]], entry["VisibilityTimeout"])

    def _check_pace(self, process: Process, action: str, what: str, seconds: float) -> None:
        most = (60 + seconds) * self.slots.get(process, 1)
        times = self._failures[process, action][what]
        if action != "ChangeMessageVisibilityBatch" and times > most:
            self.violated(f"{process} repeats {action} without waiting: {times} times")

    def _deleting(self, process: Process, receipt: Receipt) -> None:
        who = f"{process} deletes {receipt.handle} ({receipt.stored.body})"
        if receipt.process is not process:
            self.violated(f"{who}, which another process has received")
        elif receipt.result != "handled" and receipt.stored not in self._resent:
            self.violated(f"{who}, which was not handled")
        elif not receipt.stored.deleted and not receipt.is_granted(self.now()):
            self.violated(f"{who}, whose visibility timeout has expired")

    def _hiding(self, process: Process, receipt: Receipt, seconds: int) -> None:
        now = self.now()
        if receipt.process is not process:
            self.violated(f"{process} hides {receipt.handle}, which another process has received")
        started = receipt.started_at
        if seconds and started is not None and receipt.ended_at is None and process.frozen_at < started:
            if now - started > self.max_handling_seconds + SLACK_SECONDS:
                self.violated(f"{process} extends {receipt.handle} although its handler takes too long")
        elif receipt.result == "later" and seconds != self.visibility_timeout:  # an extension may be under way
            self.postponed.add(receipt.handle)
            if seconds != self.later[receipt.handle]:
                self.violated(f"{process} postpones {receipt.handle} by {seconds} s, not {self.later[receipt.handle]}")

    def answered(self, process: Process, action: str, parameters: Mapping[str, Any], answer: Answer) -> None:
        """A process has an answer."""
        self._failing_since.pop((process, action), None)
        self._failures.pop((process, action), None)

    def failed(self, process: Process, action: str, parameters: Mapping[str, Any], error: Any) -> None:
        """A process has an error."""
        self.note(process, f"{action} failed: {type(error).__name__} {error}"[:110])
        if is_transient(error):
            self._failing_since.setdefault((process, action), self.now())
            self._failures[process, action][brief(parameters)] += 1

    def acting(self, process: Process, action: str, number: int) -> None:
        """SQS now does what a process has asked for."""
        self._acting = (process, action, number)

    # What happens to messages.

    def observe(self, what: str, queue: Queue, message: Stored) -> None:
        """The model tells."""
        self.note("SQS", f"{what}: {message.id} ({message.body}) in {queue.name}, receives {message.receives}")
        if what == "stored":
            self.counts["stored"] += 1
            self._stored(message)
        elif what == "deleted":
            self.counts["deleted"] += 1
            self._deleted(queue, message)
        elif what == "came back":
            self._came_back.add(message.id)
        elif what == "dead":
            self.counts["dead"] += 1
            self._died(message)

    def _stored(self, message: Stored) -> None:
        self.stored[message.body] += 1
        self.counts["twice"] += self.stored[message.body] > 1
        before = self.previous.get(message.body)
        if before is not None and not self.stored[before] and before not in self.refused:
            self.violated(f"{message.body} was sent before {before}, which precedes it in its group")
        assert self._acting is not None
        process, _, number = self._acting
        self.requests_by_key[process, message.body].add(number)
        for receipt in self._moving[process]:
            if receipt.stored.body == message.body:
                self._resent.add(receipt.stored)  # not by this process alone: SQS drops a second copy as a duplicate

    def _deleted(self, queue: Queue, message: Stored) -> None:
        assert self._acting is not None
        self.deleted_by[self._acting[0]] += 1
        if queue is self.main and message.body not in self.handled:
            self.violated(f"{message.id} ({message.body}) was deleted and never handled")

    def _died(self, message: Stored) -> None:
        """It was received as often as allowed: each time for a reason?"""
        if message.id in self._came_back or self.main.misfortune.twice:
            return  # a server of SQS has forgotten that it was deleted or received
        for receipt in self.by_message[message.id]:
            process = receipt.process
            if (
                (not receipt.heard or receipt.fault or process.stopped_at is not None or not process.is_running)
                or self.consumers[process]._error is not None  # it stops by itself
                or receipt.result in ("failed", "later", "cannot go on")
                or (process.frozen_at >= receipt.at or self._heartbeats_failed(receipt))
            ):
                continue
            if receipt.started_at is not None and receipt.ended_at is None:
                if self.now() - receipt.started_at > self.max_handling_seconds:
                    continue
            elif receipt.result == "handled":
                lasted = (receipt.ended_at or 0) - (receipt.started_at or 0)
                if lasted > self.max_handling_seconds:
                    continue
            elif self.main.fifo:
                continue  # it was behind one that failed
            self.violated(f"{message.id} ({message.body}) became a dead letter, but did not fail at {receipt.handle}")

    def handed_out(self, process: Process, answer: Answer | Refused, begun: float, fault: str, *, heard: bool) -> None:
        """SQS has answered a ReceiveMessage."""
        if isinstance(answer, Refused):
            return
        now = self.now()
        for message in answer.get("Messages", ()):
            handle = message["ReceiptHandle"]
            stored = self._find(message["MessageId"], handle)
            before = self.by_message[stored.id]
            if before and process in self.concurrency:  # what a redrive receives is a dead letter: see `_died`
                self._received_again(before[-1], now)
            receipt = Receipt(process, stored, handle, begun, heard and not process.dead, fault)
            self.receipts[handle] = receipt
            before.append(receipt)
            self.by_process[process].append(receipt)
            if process not in self.concurrency:  # a redrive
                self._moving[process].append(receipt)
            self.counts["received"] += 1
            self.note("SQS", f"hands {handle} ({stored.body}) to {process}")

    def _find(self, id: str, handle: str) -> Stored:
        for queue in (self.main, self.main.dead_letters):
            if queue is not None and (found := queue.find(handle)) is not None:
                return found
        raise AssertionError(id)

    def _received_again(self, before: Receipt, now: float) -> None:
        """Was its handler still running, and its lease lost without a reason?"""
        process = before.process
        if (
            (before.started_at is None or before.ended_at is not None or before.is_granted(now) or before.fault)
            or (not process.is_running or process.frozen_at >= before.at)
            or now - before.started_at > self.max_handling_seconds
        ):
            return
        if not self._heartbeats_failed(before):
            self.violated(f"the lease of {before.handle} expired at {process} while it was handled")

    def _heartbeats_failed(self, receipt: Receipt) -> bool:
        """Whether as many extensions failed as end a lease: one, if the answer came late."""
        late = receipt.started_at is None or receipt.started_at - receipt.at > 0.8 * self.visibility_timeout
        faults = sum(at >= receipt.at for at in self._heartbeat_faults[receipt.process])
        return faults >= (1 if late else 3 if self.visibility_timeout >= 10 else 2)

    # Handlers.

    def receipt_of(self, process: Process, message: Message) -> Receipt:
        """The receive that a handler is called for."""
        return self.receipts[f"{message.id}#{message.receive_count}"]

    def begins(self, process: Process, message: Message) -> Receipt:
        """A handler is called."""
        now = self.now()
        receipt = self.receipt_of(process, message)
        self.note(process, f"handles {receipt.handle} ({message.body})")
        if receipt.process is not process:
            self.violated(f"{process} handles {receipt.handle}, which {receipt.process} has received")
        if receipt.started_at is not None:
            self.violated(f"{process} handles {receipt.handle} twice")
        if message.body != receipt.stored.body:
            self.violated(f"{process} handles {message.body!r}, but {receipt.stored.body!r} was sent")
        if not receipt.is_granted(now) and not receipt.stored.deleted:
            self.violated(f"{process} handles {receipt.handle} after its visibility timeout")
        running = self._running[process]
        running.add(receipt)
        receipt.started_at = now
        if len(running) > self.concurrency[process]:
            self.violated(f"{process} handles {len(running)} messages at once, not {self.concurrency[process]}")
        if process.stopped_at is not None and now > process.stopped_at and process.frozen_at < process.stopped_at:
            self.violated(f"{process} handles {receipt.handle} after it was stopped")
        if self.main.fifo:
            self._check_order(receipt, now)
        return receipt

    def _check_order(self, receipt: Receipt, now: float) -> None:
        group = receipt.stored.group
        for message in self.main.messages:
            if message is receipt.stored:
                break
            if message.group == group and message.body not in self.handled:
                self.violated(f"{receipt.process} handles {receipt.handle} before {message.id} of its group")
        for process, receipts in self._running.items():
            for other in receipts:
                if other is receipt or other.stored.group != group or not process.is_running:
                    continue
                if other.is_granted(now) and not other.stored.deleted:
                    self.violated(f"{receipt.handle} and {other.handle}, of one group, are handled at once")

    def ends(self, receipt: Receipt, result: str) -> None:
        """A handler has returned or raised."""
        self.note(receipt.process, f"{result}: {receipt.handle} ({receipt.stored.body})")
        receipt.ended_at = self.now()
        receipt.result = result
        self._running[receipt.process].discard(receipt)
        if result == "handled":
            self.handled.add(receipt.stored.body)
            self.counts["handled"] += 1
        else:
            self.counts["failed"] += 1
        if result == "cannot go on":
            receipt.process.stopped_at = self.now()  # it stops by itself

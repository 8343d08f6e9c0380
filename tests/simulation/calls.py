"""What must hold of the calls that processes make, and of their ends."""

from __future__ import annotations

import asyncio
import weakref
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore import exceptions as aws

from hello_queue.aws.errors import error_code
from hello_queue.sqs.checksums import body_md5
from tests.simulation.faults import DELETE, EXTENSION, RECEIVE, SEND
from tests.simulation.virtual_loop import Process

if TYPE_CHECKING:
    from tests.simulation.oracle import Oracle

TRANSIENT = {"RequestThrottled", "ServiceUnavailable", "InternalError", "OverLimit"}
"""Errors after which the same call can succeed. It is a list of its own, so that one in the engine is checked by it."""


class Calls:
    """Sees each call of each process, from the side of the process.

    Attributes:
        sent: the bodies that SQS has, as the answers to a process say.
    """

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._first_sent: dict[tuple[Process, str], float] = {}
        self._failing_since: dict[tuple[Process, str], float] = {}
        self._receives: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._tried: dict[BaseException, float] = {}
        self._returned: set[str] = set()
        self.sent: dict[Process, set[str]] = defaultdict(set)

    def begins(self, process: Process, action: str, parameters: Mapping[str, Any]) -> None:
        """A process calls SQS."""
        now = self._oracle.now()
        stopped = process.stopped_at is not None and now > process.stopped_at > process.frozen_at
        if action == RECEIVE and stopped:
            self._oracle.violated(f"{process} receives after it was stopped")
        elif action == RECEIVE and not self._is_repeated():
            if self._failing_since.get((process, DELETE), now) < now and self._holds_handled(process):
                self._oracle.violated(f"{process} begins to receive while deletes fail")
        elif action == SEND:
            for entry in parameters["Entries"]:
                self._first_sent.setdefault((process, entry["MessageBody"]), now)
        elif action == EXTENSION and process.stopped_at is not None:
            self._returned.update(
                entry["ReceiptHandle"]
                for entry in parameters["Entries"]
                if not entry["VisibilityTimeout"] and self._oracle.receipts[entry["ReceiptHandle"]].result != "later"
            )

    def _is_repeated(self) -> bool:
        """Whether the receive that is called now began before: each has a task of its own, which repeats it."""
        task = asyncio.current_task()
        assert task is not None
        if task in self._receives:
            return True
        self._receives.add(task)
        return False

    def _holds_handled(self, process: Process) -> bool:
        """Whether a consumer holds a message that it has handled before now."""
        consumer = self._oracle.consumers.get(process)
        held = [] if consumer is None else [self._oracle.receipts[lease.receipt_handle] for lease in consumer._held]
        return any(each.result == "handled" and (each.ended_at or 0) < self._oracle.now() for each in held)

    def answered(self, process: Process, action: str, parameters: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """A process has an answer."""
        final = [each for each in answer.get("Failed", ()) if each["Code"] not in TRANSIENT]
        bodies = {
            entry["Id"]: entry["MessageBody"] for entry in parameters.get("Entries", ()) if "MessageBody" in entry
        }
        done = [each for each in answer.get("Successful", ()) if _is_intact(each, bodies)]
        if len(done) + len(final) == len(parameters.get("Entries", ())):
            self._failing_since.pop((process, action), None)
        else:
            self._failing_since.setdefault((process, action), self._oracle.now())
        if action == SEND:
            self.sent[process].update(bodies[each["Id"]] for each in done)
        for message in answer.get("Messages", ()):
            receipts = self._oracle.by_message[message["MessageId"]]
            handles = [receipt.handle for receipt in receipts if receipt.process is process]
            before = handles[: handles.index(message["ReceiptHandle"])]
            if before and before[-1] in self._returned:
                self._oracle.violated(f"{process} returned {before[-1]} while receives were in progress")

    def failed(self, process: Process, action: str, error: Exception) -> None:
        """A process has an error."""
        now = self._oracle.now()
        if _is_transient(error):
            self._tried[error] = now - self._failing_since.setdefault((process, action), now)

    def gave_up(self, process: Process, error: BaseException) -> None:
        """A process reports this error: has it tried for long enough?"""
        if error in self._tried:
            self._check_patience(process, self._tried[error], f"gives up: {error}")

    def refused(self, process: Process, body: str, reason: str) -> None:
        """A process reports that SQS does not take this message, which is a valid one."""
        tried = self._oracle.now() - self._first_sent[process, body]
        self._check_patience(process, tried, f"gives {body} up: {reason}")

    def _check_patience(self, process: Process, tried: float, what: str) -> None:
        if tried < self._oracle.retry_timeout - 0.01:
            self._oracle.violated(f"{process} {what}, after {tried:.2f} s")


def _is_intact(success: Mapping[str, Any], bodies: Mapping[str, str]) -> bool:
    return success["Id"] not in bodies or success["MD5OfMessageBody"] == body_md5(bodies[success["Id"]])


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, aws.ClientError):
        return error_code(error) in TRANSIENT
    return isinstance(error, aws.BotoCoreError)

"""Who has received which message, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.stored import Stored
from tests.simulation.virtual_loop import Process


@dataclass(eq=False, slots=True)
class Receipt:
    """A receive of a message by a process.

    Attributes:
        heard: whether the answer is on its way to the process.
        fault: what befell the request; empty: nothing.
        result: what the handler did: "", "handled", "failed", "later", "cannot go on".
    """

    process: Process
    stored: Stored
    handle: str
    at: float
    heard: bool
    fault: str
    started_at: float | None = None
    ended_at: float | None = None
    result: str = ""

    def is_granted(self, now: float) -> bool:
        """Whether SQS hides the message for this receive."""
        return self.stored.grants[self.handle] > now


def brief(parameters: Mapping[str, Any]) -> str:
    """The parameters of a call, for a trace."""
    if "Entries" not in parameters:
        return f"{parameters['MaxNumberOfMessages']}, wait {parameters['WaitTimeSeconds']} s"
    entries = parameters["Entries"]
    names = ",".join(each.get("ReceiptHandle") or each.get("MessageBody", "") for each in entries)
    seconds = {each["VisibilityTimeout"] for each in entries if "VisibilityTimeout" in each}
    return f"{names}{f' for {seconds} s' if seconds else ''}"

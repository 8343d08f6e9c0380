"""What must hold when a consumer has ended, while lines are sent, and when a world has drained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hello_queue.sqs.consumer import Consumer
from hello_queue.sqs.consumer_config import ConsumerConfig
from hello_queue.sqs.polling import MAX_RECEIVES
from tests.simulation.virtual_loop import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

MAX_HELD = MAX_RECEIVES * 10


class Checks:
    """The checks that look at a whole process or at the whole world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._oracle = world.oracle

    def consumer_ended(self, process: Process, consumer: Consumer, config: ConsumerConfig, *, finished: bool) -> None:
        """A consumer's run has returned without an error."""
        oracle = self._oracle
        counts = consumer.counts
        now = oracle.now()
        receipts = oracle.by_process[process]
        if config.limit is not None and counts["received"] > config.limit:
            oracle.violated(f"{process} received {counts['received']} messages, not {config.limit}")
        handled = [receipt for receipt in receipts if receipt.result == "handled"]
        accounted = counts["processed"] + counts["expired"] + counts["undeleted"]
        if finished and len(handled) != accounted:
            oracle.violated(f"{process} handled {len(handled)} messages and accounts for {accounted}")
        left = [each for each in handled if not each.stored.deleted and each.stored.handle == each.handle]
        if finished and len(left) > counts["expired"] + counts["undeleted"] and not self._world.is_unlucky:
            oracle.violated(f"{process} says that it deleted {left[0].handle}")
        grace = self._world.scenario.grace
        has_time = process.stopped_at is None or now < process.stopped_at + grace
        if finished and counts["undeleted"] and has_time and not self._world.main.fifo:
            oracle.violated(f"{process} gave up deleting {counts['undeleted']} messages before it had to")
        for receipt in receipts:
            if finished and receipt.result == "later" and receipt.handle not in oracle.postponed:
                oracle.violated(f"{process} has not postponed {receipt.handle}")
        if finished and (consumer._held or consumer._done):
            oracle.violated(f"{process} has ended and still holds {len(consumer._held)} messages")
        waits = process.stopped_at is None and (config.limit is None or counts["received"] < config.limit)
        last = max((each.at for each in receipts if each.heard and each.fault != "altered"), default=process.started_at)
        if waits and (config.empty_after is None or now - last < config.empty_after - 0.01):
            oracle.violated(f"{process} ended {now - last:.3f} s after its last message")
        if finished and not self._world.is_faulty:
            slow = sum((each.ended_at or 0) - (each.started_at or 0) > config.max_handling_seconds for each in handled)
            if counts["expired"] > slow and not self._world.is_unlucky:
                oracle.violated(f"{process} has let {counts['expired']} leases expire, although nothing went wrong")
            for receipt in receipts:
                if receipt.started_at is None and receipt.is_granted(now) and not receipt.stored.deleted:
                    oracle.violated(f"{process} has ended without returning {receipt.handle}")

    def held(self, process: Process, consumer: Consumer) -> None:
        """How much a consumer has received ahead."""
        scenario = self._world.scenario
        if len(consumer._held) > MAX_HELD + scenario.handled_at_once + 10:
            self._oracle.violated(f"{process} holds {len(consumer._held)} messages")
        ahead = consumer._unhandled + consumer._poller.asked
        if scenario.slow and ahead > scenario.handled_at_once + 1:
            self._oracle.violated(f"{process} has {ahead} messages for {scenario.handled_at_once} that can be handled")

    def moved(self, process: Process, left: int) -> None:
        """A redrive has ended without an error, and reports how many of the messages it sent it could not delete."""
        receipts = self._oracle.by_process[process]
        undeleted = self._world.calls.sent[process] - {each.stored.body for each in receipts if each.stored.deleted}
        if len(undeleted) > left:
            self._oracle.violated(f"{process} has moved and not deleted {sorted(undeleted)}, and reports {left}")

    def drained(self) -> None:
        """The world is calm and nothing is left to do."""
        world, oracle = self._world, self._oracle
        dead = {message.body for message in world.dead.messages}
        for body in oracle.promised:
            if body not in oracle.handled and body not in dead:
                oracle.violated(f"{body} was promised as sent, and is lost")
        for role in world.scenario.lines:
            for body, _, _ in world.scenario.lines[role]:
                if body not in oracle.promised and body not in world.refused:
                    oracle.violated(f"{body} was never sent")
        if not world.events and not world.is_unlucky and not world.scenario.redrives:
            poison = {body for body in oracle.promised if world.must_die(body)}
            may = {body for body in oracle.promised if world.may_die(body)}
            restarts = any(each.kind == "cannot go on" for each in world.scenario.behaviours.values())
            if not poison <= dead or (not restarts and not dead <= may):
                oracle.violated(f"the dead-letter queue holds {sorted(dead)}, not {sorted(poison)}")

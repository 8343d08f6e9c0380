"""The messages of one thread, while another thread takes those that wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from hello_queue.sqs.handlers import Message
from hello_queue.sqs.lanes import Lane
from hello_queue.sqs.leases import Lease


def test_each_message_goes_to_one_of_two_threads() -> None:
    """The lane's own thread begins a message whenever the other thread has looked at those that wait."""
    begun: list[Lease | None] = []

    def begin_next() -> None:
        begun.append(lane.begin_next())

    class Interrupted(deque[Lease]):
        def __iter__(self) -> Iterator[Lease]:
            yield from list(super().__iter__())
            self._interrupt()

        def popleft(self) -> Lease:
            lease = super().popleft()
            self._interrupt()
            return lease

        def _interrupt(self) -> None:
            if threading.current_thread() is threading.main_thread():
                thread = threading.Thread(target=begin_next)
                thread.start()
                thread.join()

    lane = Lane([])
    lane.waiting = Interrupted(Lease(Message(str(number), ""), "", until=0) for number in range(10))
    rest = lane.take_rest()
    taken = [lease.message.id for lease in [*begun, *rest] if lease is not None]
    assert sorted(taken) == [str(number) for number in range(10)]
    assert begun[0] is not None

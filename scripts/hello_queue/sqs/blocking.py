"""The consumer, the producer and the sender for code that has no event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from hello_queue.sqs.concurrency import Concurrency
from hello_queue.sqs.line_batches import LineBatches
from hello_queue.sqs.message_format import MessageFormat
from hello_queue.sqs.notices import Report
from hello_queue.sqs.producer import Producer
from hello_queue.sqs.retries import RetryPolicy
from hello_queue.sqs.sender import Sender
from hello_queue.sqs.sending_progress import SendingProgress
from hello_queue.sqs.transports import open_transport

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

    from hello_queue.sqs.consumer import Consumer
    from hello_queue.sqs.consumer_config import ConsumerConfig
    from hello_queue.sqs.handlers import Handler
    from hello_queue.sqs.leases import Counts

Result = TypeVar("Result")

_DELETE_CALLS = 16
_HEARTBEAT_CALLS = 64
"""boto3 needs a thread for each: a delete must not wait for a receive, nor a heartbeat for one that gets no answer."""


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end on an event loop: uvloop's, which is faster, where it is installed."""
    try:
        import uvloop
    except ImportError:  # there is none for this platform
        return asyncio.run(main)
    return uvloop.run(main)


class StopRequest:
    """A request to stop what runs on an event loop. Any thread can make it, at any time: also before the loop runs, and
    after it has ended.

    Attributes:
        made: whether it was made.
    """

    def __init__(self) -> None:
        self.made = False
        self._lock = threading.Lock()
        self._pass_on: Callable[[], object] | None = None

    def make(self) -> None:
        with self._lock:
            self.made = True
            if self._pass_on is not None:
                self._pass_on()

    @contextlib.contextmanager
    def calls(self, stop: Callable[[], object]) -> Iterator[None]:
        """While the context is open, the request calls ``stop`` on the running event loop; at once if it was made."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self._pass_on = lambda: loop.call_soon_threadsafe(stop)
            if self.made:
                stop()
        try:
            yield
        finally:
            with self._lock:
                self._pass_on = None


class BlockingConsumer:
    """A `Consumer` with an event loop, which runs in the thread that calls `run`."""

    def __init__(self, config: ConsumerConfig, handler: Handler, report: Report) -> None:
        self._config = config
        self._handler = handler
        self._report = report
        self._consumer: Consumer | None = None
        self._stop = StopRequest()

    @property
    def counts(self) -> Counts:
        from hello_queue.sqs.leases import Counts

        return Counts() if self._consumer is None else self._consumer.counts

    def run(self, grace: float = 30) -> bool:
        """See `Consumer.run`."""
        return run(self._main(grace))

    def stop(self) -> None:
        """See `Consumer.stop`. Any thread can call it, at any time."""
        self._stop.make()

    async def _main(self, grace: float) -> bool:
        # Imported here, because send.py need not wait for what receives.
        from hello_queue.sqs.consumer import Consumer
        from hello_queue.sqs.heartbeat import timeout_of
        from hello_queue.sqs.polling import MAX_RECEIVES

        config = self._config
        transport = open_transport(config.url, MAX_RECEIVES + _DELETE_CALLS)
        heartbeats = open_transport(config.url, _HEARTBEAT_CALLS, timeout_of(config.visibility_timeout))
        try:
            self._consumer = Consumer(transport, heartbeats, self._handler, config, self._report)
            with self._stop.calls(self._consumer.stop):
                return await self._consumer.run(grace)
        finally:
            await transport.close()
            await heartbeats.close()


class BlockingSender:
    """A `Sender` with an event loop, which runs in the thread that calls `run`.

    Args:
        url: the queue's.
        message_format, progress: see `Sender`.
        report: see `hello_queue.sqs.notices`.
        concurrency: the most batches in progress.
        retry_timeout: for how many seconds to retry transient errors.
        sqs: see `open_transport`.
    """

    def __init__(
        self,
        url: str,
        message_format: MessageFormat,
        progress: SendingProgress,
        report: Report,
        *,
        concurrency: int,
        retry_timeout: float,
        sqs: SQSClient | None = None,
    ) -> None:
        self._url = url
        self._format = message_format
        self._progress = progress
        self._report = report
        self._concurrency = concurrency
        self._retry_timeout = retry_timeout
        self._sqs = sqs
        self._stop = StopRequest()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.made

    def run(self, lines: LineBatches) -> None:
        """See `Sender.send`."""
        run(self._main(lines))

    def stop(self) -> None:
        """Finish the batches in progress, retry nothing, and begin nothing new. Any thread can call it, at any time."""
        self._stop.make()

    async def _main(self, lines: LineBatches) -> None:
        transport = open_transport(self._url, self._concurrency, sqs=self._sqs)
        retries = RetryPolicy(self._retry_timeout, self._report)
        producer = Producer(transport, self._url, retries)
        sender = Sender(producer, self._format, self._progress, Concurrency(self._concurrency))

        def stop() -> None:
            retries.stop()
            sender.stop()

        try:
            with self._stop.calls(stop):
                await sender.send(lines)
        finally:
            await transport.close()


class BlockingProducer:
    """A `Producer` with an event loop on a thread of its own. Threads may share it. Use it as a context manager.

    Args:
        url: the queue's.
        report: see `hello_queue.sqs.notices`.
        retry_timeout: for how many seconds to retry transient errors.
        options: see `Producer`.
    """

    def __init__(self, url: str, report: Report, *, retry_timeout: float = 60, **options: Any) -> None:
        self._arguments = (url, report, retry_timeout, options)

    def __enter__(self) -> BlockingProducer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: run(self._main(ready)), daemon=True)
        self._error: BaseException | None = None
        self._thread.start()
        ready.wait()
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def send(self, body: str, **options: Any) -> str:
        """See `Producer.send`."""
        return asyncio.run_coroutine_threadsafe(self._producer.send(body, **options), self._loop).result()

    async def _main(self, ready: threading.Event) -> None:
        url, report, retry_timeout, options = self._arguments
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        try:
            transport = open_transport(url, options.get("batches_in_flight", 64))
            self._producer = Producer(transport, url, RetryPolicy(retry_timeout, report), **options)
        except BaseException as error:
            self._error = error
            return
        finally:
            ready.set()
        await self._over.wait()
        await self._producer.flush()
        await transport.close()

"""Sends or processes with kombu, as Celery does: python with_kombu.py send|process URL COUNT SIZE."""

import os
import sys

from kombu import Connection, Consumer, Queue


def main(how: str, url: str, count: int, size: int) -> None:
    options = {
        "region": os.environ["AWS_DEFAULT_REGION"],
        "predefined_queues": {"test": {"url": url}},
        "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
    }
    with Connection("sqs://", transport_options=options) as connection:
        if how == "send":
            producer = connection.Producer()
            for _ in range(count):
                producer.publish("x" * size, routing_key="test", serializer="raw", content_type="text/plain")
            return
        done = 0

        def handle(body: object, message: object) -> None:
            nonlocal done
            message.ack()  # type: ignore[attr-defined]  # kombu has no types
            done += 1

        with Consumer(connection, [Queue("test")], callbacks=[handle], prefetch_count=10, accept=None):
            while done < count:
                connection.drain_events(timeout=10)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))

"""Two tenants of one queue: the order in which their messages are processed on the local AWS, and a picture of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from tests.conftest import Aws

NOISY, QUIET, IN_FLIGHT = 300, 10, 50


def send(aws: Aws, queue: str, tenant: str, number: int, *, grouped: bool) -> None:
    group = {"MessageGroupId": tenant} if grouped else {}
    for start in range(0, number, 10):
        entries = [
            {"Id": str(index), "MessageBody": tenant, **group} for index in range(start, min(start + 10, number))
        ]
        aws.client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)


def processed(aws: Aws, queue: str, *, grouped: bool) -> list[str]:
    """The tenants in the order in which their messages are processed, with about IN_FLIGHT of them in flight: "noisy"
    has sent its messages first.

    Args:
        grouped: each message has its tenant as message group.
    """
    sqs = aws.client("sqs")
    send(aws, queue, "noisy", NOISY, grouped=grouped)
    send(aws, queue, "quiet", QUIET, grouped=grouped)
    order: list[str] = []
    in_flight: deque[str] = deque()
    while True:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=600).get(
            "Messages", []
        )
        order += [each["Body"] for each in received]
        in_flight.extend(each["ReceiptHandle"] for each in received)
        if not received and not in_flight:
            return order
        while in_flight and (len(in_flight) > IN_FLIGHT - 10 or not received):
            done = [in_flight.popleft() for _ in range(min(10, len(in_flight)))]
            entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(done)]
            sqs.delete_message_batch(QueueUrl=queue, Entries=entries)


def before_the_last(order: Sequence[str]) -> int:
    """How many messages were processed before the last one of the quiet tenant."""
    return len(order) - 1 - list(reversed(order)).index("quiet")


def draw_tenants(aws: Aws) -> str:
    """An SVG of both orders, one stripe a message."""
    sqs = aws.client("sqs")
    left, top, width, height = 10, 44, 2, 26
    total = NOISY + QUIET
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * left + total * width} 160" width="640">']
    lines.append("<style>text{font:12px sans-serif;fill:#16191f}.n{fill:#aab7b8}.q{fill:#d62728}</style>")
    lines.append(f'<rect width="{2 * left + total * width}" height="160" fill="#fff"/>')
    title = f"{NOISY} messages of a noisy tenant (grey), then {QUIET} of a quiet one (red), as they are processed"
    lines.append(f'<text x="{left}" y="20">{title}</text>')
    for row, grouped in enumerate((False, True)):
        queue = sqs.create_queue(QueueName=f"tenants-{time.time_ns()}")["QueueUrl"]
        order = processed(aws, queue, grouped=grouped)
        sqs.delete_queue(QueueUrl=queue)
        y = top + row * 58
        for number, tenant in enumerate(order):
            x = left + number * width
            lines.append(f'<rect class="{tenant[0]}" x="{x}" y="{y}" width="{width}" height="{height}"/>')
        how = "with" if grouped else "without"
        text = f"{how} message groups: {before_the_last(order)} messages come before the quiet tenant's last one"
        lines.append(f'<text x="{left}" y="{y + height + 16}">{text}</text>')
    return "\n".join([*lines, "</svg>\n"])

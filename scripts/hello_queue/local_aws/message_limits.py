"""Limits of SQS's message actions that ministack does not check. AWS refuses what is beyond them."""

from __future__ import annotations

from typing import Any

from ministack.services import sqs

from hello_queue.local_aws.pinned_internals import internal

MAX_DELAY_SECONDS = 900
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""
MAX_WAIT_SECONDS = 20
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html"""
MAX_ATTRIBUTES = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""


def install() -> None:
    handlers = internal(sqs, "_HANDLERS")
    send, receive = internal(sqs, "_act_send_message"), internal(sqs, "_act_receive_message")

    def send_message(data: dict[str, Any], url: str) -> Any:
        _check_range(data, "DelaySeconds", MAX_DELAY_SECONDS)
        if len(data.get("MessageAttributes") or {}) > MAX_ATTRIBUTES:
            raise _invalid(
                f"Number of message attributes [{len(data['MessageAttributes'])}] exceeds the allowed "
                f"maximum [{MAX_ATTRIBUTES}]."
            )
        return send(data, url)

    async def receive_message(data: dict[str, Any], url: str) -> Any:
        _check_range(data, "WaitTimeSeconds", MAX_WAIT_SECONDS)
        return await receive(data, url)

    handlers["SendMessage"], handlers["ReceiveMessage"] = send_message, receive_message
    sqs._act_send_message = send_message  # SendMessageBatch calls it by this name, once for each entry


def _check_range(data: dict[str, Any], name: str, maximum: int) -> None:
    value = data.get(name)
    if value is not None and not 0 <= int(value) <= maximum:
        raise _invalid(
            f"Value {value} for parameter {name} is invalid. Reason: Must be >= 0 and <= {maximum}, if provided."
        )


def _invalid(message: str) -> Exception:
    error: Exception = internal(sqs, "_Err")("InvalidParameterValue", message)
    return error

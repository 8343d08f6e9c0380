"""The SQS actions about dead-letter queues that ministack lacks: message move tasks, and ListDeadLetterSourceQueues.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
A moved message is a new one, with a new id, in the destination queue. The destination's deduplication applies to it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextvars
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from ministack.core import iam_actions, iam_evaluator, responses
from ministack.core.router import extract_access_key_id
from ministack.services import sqs

from hello_queue.local_aws.pinned_internals import internal

Queue = dict[str, Any]
Message = dict[str, Any]

# Resolved when the server starts, so that an incompatible ministack is reported then.
enforce = internal(iam_evaluator, "enforce")
_Err = internal(sqs, "_Err")
_HANDLERS = internal(sqs, "_HANDLERS")
_QUERY_COMPAT_CODES = internal(sqs, "_QUERY_COMPAT_CODES")
_act_send_message = internal(sqs, "_act_send_message")
_ensure_msg_fields = internal(sqs, "_ensure_msg_fields")
_get_q = internal(sqs, "_get_q")
_queue_by_arn = internal(sqs, "_queue_by_arn")
_queues = internal(sqs, "_queues")
_refresh_counts = internal(sqs, "_refresh_counts")

MAX_MESSAGES_PER_SECOND = 500
MAX_RESULTS = 10
YIELD_EVERY = 10
"""The number of messages after which a task lets other requests in."""
SOURCE_RIGHTS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What a task needs on the dead-letter queue besides the right to start it."""


@dataclass
class MoveTask:
    """A message move task.

    Attributes:
        per_second: the limit that the caller set, or None.
        total: how many messages there were when it started.
    """

    source_arn: str
    destination_arn: str | None
    per_second: int | None
    total: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.time)
    status: str = "RUNNING"
    moved: int = 0
    failure_reason: str | None = None

    @property
    def handle(self) -> str:
        return base64.b64encode(json.dumps({"taskId": self.id, "sourceArn": self.source_arn}).encode()).decode()

    def description(self) -> dict[str, Any]:
        optional = {
            "TaskHandle": self.handle if self.status == "RUNNING" else None,
            "DestinationArn": self.destination_arn,
            "MaxNumberOfMessagesPerSecond": self.per_second,
            "FailureReason": self.failure_reason,
        }
        return {
            "Status": self.status,
            "SourceArn": self.source_arn,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.total,
            "StartedTimestamp": int(self.started * 1000),
            **{name: value for name, value in optional.items() if value is not None},
        }


_tasks: list[MoveTask] = []
_running: set[asyncio.Task[None]] = set()
"""Keeps the tasks from being garbage-collected."""
_access_key_id: contextvars.ContextVar[str] = contextvars.ContextVar("access_key_id")
"""Of the caller whose request this is. A task inherits it."""


def install() -> None:
    _HANDLERS.update(
        StartMessageMoveTask=start_message_move_task,
        ListMessageMoveTasks=list_message_move_tasks,
        CancelMessageMoveTask=cancel_message_move_task,
        ListDeadLetterSourceQueues=list_dead_letter_source_queues,
    )
    _authorize_on_the_source()


def start_message_move_task(data: dict[str, Any], url: str) -> dict[str, Any]:
    source_arn, destination_arn = data.get("SourceArn", ""), data.get("DestinationArn")
    source = _queue("SourceArn", source_arn)
    if destination_arn is not None:
        _queue("DestinationArn", destination_arn)
    per_second = data.get("MaxNumberOfMessagesPerSecond")
    if per_second is not None and not 1 <= int(per_second) <= MAX_MESSAGES_PER_SECOND:
        raise _error(
            "InvalidParameterValue",
            f"Value {per_second} for parameter MaxNumberOfMessagesPerSecond is invalid. "
            f"Reason: Must be between 1 and {MAX_MESSAGES_PER_SECOND}, if provided.",
        )
    if not _sources_of(source_arn):
        raise _error("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    if any(task.source_arn == source_arn and task.status in ("RUNNING", "CANCELLING") for task in _tasks):
        raise _error("InvalidParameterValue", "There is already a task running. Only one active task is allowed.")
    _refresh_counts(source)
    task = MoveTask(source_arn, destination_arn, per_second, int(source["attributes"]["ApproximateNumberOfMessages"]))
    _tasks.append(task)
    running = asyncio.get_running_loop().create_task(_run(task))
    _running.add(running)
    running.add_done_callback(_running.discard)
    return {"TaskHandle": task.handle}


def list_message_move_tasks(data: dict[str, Any], url: str) -> dict[str, Any]:
    source_arn = data.get("SourceArn", "")
    _queue("SourceArn", source_arn)
    wanted = int(data.get("MaxResults", 1))
    if not 1 <= wanted <= MAX_RESULTS:
        raise _error(
            "InvalidParameterValue",
            f"Value {wanted} for parameter MaxResults is invalid. Reason: Must be between 1 and {MAX_RESULTS}.",
        )
    newest_first = [task.description() for task in reversed(_tasks) if task.source_arn == source_arn]
    return {"Results": newest_first[:wanted]}


def cancel_message_move_task(data: dict[str, Any], url: str) -> dict[str, Any]:
    task = next((each for each in _tasks if each.handle == data.get("TaskHandle")), None)
    if task is None:
        raise _error("ResourceNotFoundException", "Task does not exist.", 404)
    if task.status != "RUNNING":
        raise _error("InvalidParameterValue", "Only active tasks can be cancelled.")
    task.status = "CANCELLING"
    return {"ApproximateNumberOfMessagesMoved": task.moved}


def list_dead_letter_source_queues(data: dict[str, Any], url: str) -> dict[str, Any]:
    queue = _get_q(data.get("QueueUrl", url), "sqs:ListDeadLetterSourceQueues")
    return {"queueUrls": [each["url"] for each in _sources_of(queue["attributes"]["QueueArn"])]}


async def _run(task: MoveTask) -> None:
    """Move what is visible, oldest first, with the rights of the caller who started the task."""
    try:
        for action in SOURCE_RIGHTS:
            _require(action, task.source_arn)
        while task.status == "RUNNING" and (message := _next_message(task.source_arn)) is not None:
            _move(task, message)
            if task.per_second:
                await asyncio.sleep(1 / task.per_second)
            elif task.moved % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        task.status = "CANCELLED" if task.status == "CANCELLING" else "COMPLETED"
    except _Err as error:
        task.status = "FAILED"
        task.failure_reason = _QUERY_COMPAT_CODES.get(error.code, error.code)
    except Exception:
        task.status, task.failure_reason = "FAILED", "InternalError"
        raise  # to the server's log


def _next_message(source_arn: str) -> Message | None:
    now = time.time()
    visible = (each for each in _existing_queue(source_arn)["messages"] if each["visible_at"] <= now)
    message: Message | None = next(visible, None)
    return message


def _move(task: MoveTask, message: Message) -> None:
    """Send the message to its destination, then remove it from the dead-letter queue."""
    _ensure_msg_fields(message)
    arn = task.destination_arn or message["sys"].get("DeadLetterQueueSourceArn")
    if not arn:  # it was sent to the dead-letter queue, and did not come there from another one
        raise _error("CouldNotDetermineMessageSource", "The message has no source queue.")
    destination = _existing_queue(arn)
    _require("sqs:SendMessage", arn)
    parameters = {
        "MessageBody": message["body"],
        "MessageAttributes": message["message_attributes"],
        "MessageGroupId": message["group_id"],
        "MessageDeduplicationId": message["dedup_id"],
    }
    _act_send_message(parameters, destination["url"])
    _existing_queue(task.source_arn)["messages"].remove(message)
    task.moved += 1


def _queue(parameter: str, arn: str) -> Queue:
    queue: Queue | None = _queue_by_arn(arn)
    if queue is None:
        message = f"The resource that you specified for the {parameter} parameter doesn't exist."
        raise _error("ResourceNotFoundException", message, 404)
    return queue


def _existing_queue(arn: str) -> Queue:
    queue: Queue | None = _queue_by_arn(arn)
    if queue is None:
        raise _error("QueueDoesNotExist", "The specified queue does not exist.")
    return queue


def _sources_of(dead_letter_arn: str) -> list[Queue]:
    """The queues whose redrive policy names this queue."""
    return [
        queue
        for queue in _queues.values()
        if json.loads(queue["attributes"].get("RedrivePolicy") or "{}").get("deadLetterTargetArn") == dead_letter_arn
    ]


def _require(action: str, arn: str) -> None:
    """Raise AccessDenied unless the caller of the current request may do this, by IAM and by the queue's policy."""
    if enforce(_access_key_id.get(), action, "sqs", responses.get_region(), resource_arn=arn):
        raise _error("AccessDenied", f"The caller is not authorized to perform: {action} on resource: {arn}", 403)


def _authorize_on_the_source() -> None:
    """ministack finds a queue in a request by its URL or its name. These requests have an ARN, or a task's handle."""
    extract = internal(iam_actions, "extract_resource_arn")

    def extract_resource_arn(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> str:
        if service == "sqs" and headers.get("x-amz-target", "").endswith(("MessageMoveTask", "MessageMoveTasks")):
            _access_key_id.set(extract_access_key_id(headers))
            return _source_arn(body)
        arn: str = extract(service, method, path, headers, body, *rest)
        return arn

    iam_actions.extract_resource_arn = extract_resource_arn


def _source_arn(body: bytes) -> str:
    try:
        content = json.loads(body)
        if "TaskHandle" in content:
            content = {"SourceArn": json.loads(base64.b64decode(content["TaskHandle"]))["sourceArn"]}
        return str(content["SourceArn"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        return "*"


def _error(code: str, message: str, status: int = 400) -> Exception:
    error: Exception = _Err(code, message, status)
    return error

"""CloudFormation refuses to create a queue that exists. ministack's would put an empty one in its place."""

from __future__ import annotations

from typing import Any

from ministack.services import sqs
from ministack.services.cloudformation import provisioners

from hello_queue.local_aws.pinned_internals import internal


def install() -> None:
    create = internal(provisioners, "_sqs_create")
    names = internal(sqs, "_queue_name_to_url")

    def create_queue(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        name = properties.get("QueueName")
        if name in names:
            raise ValueError(f"Resource of type 'AWS::SQS::Queue' with identifier '{name}' already exists.")
        return create(logical_id, properties, stack_name)

    provisioners._sqs_create = create_queue  # a replacement is created by this name
    internal(provisioners, "_RESOURCE_HANDLERS")["AWS::SQS::Queue"]["create"] = create_queue

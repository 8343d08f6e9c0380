"""Send to and process SQS queues without losing a message.

The author of a handler needs these three names; `hello_queue.sqs.handlers` has the whole contract. Importing this
module imports nothing but Python's own library, so that it can travel to where a handler runs.
"""

from hello_queue.sqs.handlers import CannotGoOn, Message, RetryLater

__all__ = ["CannotGoOn", "Message", "RetryLater"]

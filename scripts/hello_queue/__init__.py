"""Send messages to SQS queues and process them without losing any.

These are the three names that the author of a handler needs; `hello_queue.sqs.handlers` documents the contract.
Importing this module imports only Python's standard library, so that it can be deployed with a handler.
"""

from hello_queue.sqs.handlers import CannotGoOn, Message, RetryLater

__all__ = ["CannotGoOn", "Message", "RetryLater"]

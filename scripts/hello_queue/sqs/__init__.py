"""A producer and a consumer for SQS that lose no messages. They take no options, print nothing and never exit."""

"""A producer and a consumer for SQS that lose no messages. They have no command line, never exit, and print nothing."""

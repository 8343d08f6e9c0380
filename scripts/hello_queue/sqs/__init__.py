"""A producer and a consumer for SQS that lose no message. They know no command line, never exit and print nothing."""

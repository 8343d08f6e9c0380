"""A producer and a consumer for SQS that lose nothing. They take a client and a queue URL; the scripts are thin over
them.
"""

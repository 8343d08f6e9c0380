"""The expected failures of this package. A script prints one as a single line; a bug keeps its traceback."""

from __future__ import annotations


class HelloQueueError(Exception):
    """An expected failure. The message says what failed, where, and what to try next."""


class UsageError(HelloQueueError):
    """An argument, or a file that an argument names, is invalid. The message names the value and the limit."""

"""A repository with a change to rehearse, and a folder that marks the processes of a test."""

from __future__ import annotations

from tests.local_aws.test_launcher import home
from tests.review.conftest import repository

__all__ = ["home", "repository"]

"""A repository with a change to rehearse, and a folder that marks the processes of a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local_aws.test_launcher import home
from tests.review.conftest import Repository

__all__ = ["home"]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = tmp_path / "repository"
    folder.mkdir()
    return Repository(folder)

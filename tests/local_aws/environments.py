"""Environments for tests that call AWS from their own process."""

from __future__ import annotations

import os

import pytest

from tests.conftest import Aws


def inside(aws: Aws, monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Let this process call the local AWS as root, and nothing else. ``variables`` come on top."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    ours = {**aws.instance.variables, **variables}
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)

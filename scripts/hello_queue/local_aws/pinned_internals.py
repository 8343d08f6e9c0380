"""Access to ministack's private names, which its pinned version has and another may not."""

from __future__ import annotations

import importlib.metadata
from typing import Any


def internal(module: Any, name: str) -> Any:
    """The module's private name.

    Raises:
        RuntimeError: this version of ministack has no such name.
    """
    try:
        return getattr(module, name)
    except AttributeError:
        version = importlib.metadata.version("ministack")
        raise RuntimeError(
            f"ministack {version} has no {module.__name__}.{name}, which scripts/hello_queue/local_aws builds on: "
            "install the version that requirements-dev.txt pins"
        ) from None

"""Access to ministack's private names, which exist in the pinned version and may be missing in another one."""

from __future__ import annotations

import importlib.metadata
from typing import Any


def internal(module: Any, name: str) -> Any:
    """Return a private name of a ministack module.

    Raises:
        RuntimeError: this version of ministack has no such name.
    """
    try:
        return getattr(module, name)
    except AttributeError:
        version = importlib.metadata.version("ministack")
        raise RuntimeError(
            f"ministack {version} has no {module.__name__}.{name}, which scripts/hello_queue/local_aws needs: "
            "install the version that requirements-dev.txt pins"
        ) from None

"""The project's root, and its tools: node, npx and cdk, also if the virtual environment is not activated."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment_with_tools() -> dict[str, str]:
    """This process's environment, with the project's tools first on PATH."""
    tools = [str(Path(sys.executable).parent), str(ROOT / "node_modules/.bin"), os.environ.get("PATH", os.defpath)]
    return {**os.environ, "PATH": os.pathsep.join(tools)}

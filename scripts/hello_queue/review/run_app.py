"""Synthesizes the app in the working directory for several contexts in one process: the CDK takes seconds to start.

Usage: ``python run_app.py DIRECTORY``, with a JSON list of contexts on stdin. The n-th is synthesized to DIRECTORY/n.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(directory: str) -> None:
    sys.path.insert(0, str(Path.cwd()))
    import app

    for number, context in enumerate(json.load(sys.stdin)):
        try:
            app.build(context=context, outdir=f"{directory}/{number}").synth()
        except vars(app)["SettingsError"] as error:
            sys.exit(f"settings: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])

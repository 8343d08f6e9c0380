"""Runs an app as the CDK CLI does, once for each variant, in one process: the CDK takes seconds to start.

Usage: ``python run_app.py DIRECTORY SCRIPT ARGUMENTS...``, with ``{variant: context}`` as JSON on stdin. The n-th
variant is synthesized to DIRECTORY/n; DIRECTORY/n.error says why not. The first one runs exactly as the CLI runs it: by
CDK_OUTDIR and CDK_CONTEXT_JSON. The code under review runs here, so this module imports nothing of the package.
"""

from __future__ import annotations

import functools
import json
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any


def main(directory: str, script: str, *arguments: str) -> None:
    variants = list(json.load(sys.stdin).values())
    sys.path[0], sys.argv = str(Path(script).resolve().parent), [script, *arguments]
    os.environ["CDK_OUTDIR"] = f"{directory}/0"
    _run(Path(directory, "0.error"), script)
    # An app that fails validation has written its assembly; any other failure is that of all variants.
    if len(variants) == 1 or not Path(directory, "0/validation-report.json").exists():
        return
    import aws_cdk

    start = aws_cdk.App.__init__

    number = 0

    @functools.wraps(start)
    def start_variant(self: Any, **options: Any) -> None:
        more = {**variants[number], **(options.pop("post_cli_context", None) or {})}
        start(self, **{"outdir": f"{directory}/{number}", "post_cli_context": more, **options})

    aws_cdk.App.__init__ = start_variant  # type: ignore[method-assign]
    for number in range(1, len(variants)):
        os.environ["CDK_OUTDIR"] = f"{directory}/{number}"
        _run(Path(directory, f"{number}.error"), script)


def _run(error: Path, script: str) -> None:
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as exit_:
        if exit_.code:
            error.write_text(str(exit_.code))
    except Exception:
        error.write_text(traceback.format_exc())


if __name__ == "__main__":
    main(*sys.argv[1:])

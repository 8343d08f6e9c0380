"""What the scripts share as command-line programs: options, exit status, progress, and safe terminal output."""

import importlib.util
import sys

if importlib.util.find_spec("boto3") is None:
    # The first mistake that everybody makes deserves better than a traceback.
    sys.exit("boto3 is not installed for this Python: run `make setup`, then `source .venv/bin/activate`")

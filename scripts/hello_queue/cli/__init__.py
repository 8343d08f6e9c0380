"""What the scripts share as command-line programs: options, exit status, progress, and safe terminal output."""

import importlib.util
import sys

if importlib.util.find_spec("boto3") is None:
    # The most common mistake gets a clear line.
    sys.exit("boto3 is not installed for this Python: run `make setup`, then `source .venv/bin/activate`")

"""The local AWS: ministack behind TLS, with signatures and IAM enforced, and with what these stacks need added."""

import importlib.util
import sys

if importlib.util.find_spec("ministack") is None:
    sys.exit("ministack is not installed for this Python: run `make setup`, then `source .venv/bin/activate`")

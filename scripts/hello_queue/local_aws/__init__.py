"""The local AWS: ministack, served as AWS is (TLS, signatures, IAM), with what it lacks for these stacks."""

import importlib.util
import sys

if importlib.util.find_spec("ministack") is None:
    sys.exit("ministack is not installed for this Python: run `make setup`, then `source .venv/bin/activate`")

"""The checks of the smoke test, one subject per module."""

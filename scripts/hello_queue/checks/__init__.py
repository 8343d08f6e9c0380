"""What the smoke test checks, one subject a file."""

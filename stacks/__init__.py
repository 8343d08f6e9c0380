"""What exists in AWS: the settings, and one stack a file."""

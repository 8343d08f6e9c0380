"""What was deployed: stacks and their outputs, the user's access key, and AWS profiles that use it."""

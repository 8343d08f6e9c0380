"""What was deployed: stacks and their outputs, the user's access key, and the profiles that use it."""

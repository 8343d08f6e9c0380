"""What whoever runs the queue needs on a bad day."""
